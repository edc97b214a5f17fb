"""Which GPUs there are, and which of them a container may have: a device is never shared."""

import random
from collections.abc import Collection, Iterable, Sequence

from mlops_core.containers.labels import LIVE_STATES, ManagedContainer
from mlops_core.containers.specification import ContainerJob
from mlops_core.errors import GpuMissingError, GpusBusyError

LEASE_TRIES = 10
"""How often a lease is tried anew, a moment apart, before the devices are called busy."""
_LONGEST_PAUSE_SECONDS = 2.0

Devices = tuple[str, ...]


def visible_gpus() -> Devices:
    """Return the UUIDs of this machine's GPUs in the driver's order; none without driver or binding."""
    try:
        import pynvml
    except ImportError:
        return ()

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return tuple(str(pynvml.nvmlDeviceGetUUID(handle)) for handle in handles)
    except pynvml.NVMLError:
        return ()
    finally:
        pynvml.nvmlShutdown()


def choose_devices(
    job: ContainerJob, *, visible: Devices, taken: Collection[str], slots: int = 0
) -> tuple[Devices, ...]:
    """Choose the devices of each node: those asked for, or free ones.

    Where none are visible, as on a worker in a container or with its engine elsewhere, they are named by
    their numbers, below ``slots``; without slots the engine itself counts, and nothing is leased.

    Parameters
    ----------
    visible
        As ``visible_gpus`` tells them.
    taken
        Devices that other containers claim.
    slots
        How many devices the engine is said to have; 0 if that is not known.

    Returns
    -------
    A tuple for each node, empty where there is nothing to lease.

    Raises
    ------
    GpuMissingError
        If the machine has fewer than are asked for.
    GpusBusyError
        If it has enough, and too few of them are free.
    """
    asked = job.spec.gpus
    known = visible or tuple(str(number) for number in range(slots))
    if asked is None or (asked.count is not None and not known):
        return ((),) * job.nodes
    number = asked.number * job.nodes
    wanted = tuple(_uuid(device, visible=visible) for device in asked.device_ids) or known
    if number > len(wanted):
        raise GpuMissingError(
            f"{job.name} asks for {number} GPUs ({job.nodes} nodes of {asked.number}) and there are "
            f"{len(wanted)}: {', '.join(wanted)}; ask for fewer, or allow cpu_fallback"
        )
    free = [device for device in wanted if device not in taken]
    if len(free) < number:
        raise busy(job, wanted=wanted, free=free)
    # At random: of two who choose at the same moment, most take different ones. Of mere numbers the first:
    # where the pool has slots for several engines, the last ones are devices of none.
    chosen = random.sample(free, number) if visible and not asked.device_ids else free
    return tuple(
        tuple(sorted(chosen[node * asked.number : (node + 1) * asked.number])) for node in range(job.nodes)
    )


def _uuid(device: str, *, visible: Devices) -> str:
    """Name a device as leases do, so that two names of one device are seen to be the same."""
    return visible[int(device)] if device.isdigit() and int(device) < len(visible) else device


def busy(job: ContainerJob, *, wanted: Sequence[str], free: Sequence[str]) -> GpusBusyError:
    """Return the error that says which devices are held by others."""
    asked = job.spec.gpus.number * job.nodes if job.spec.gpus else 0
    held = [device for device in wanted if device not in free]
    return GpusBusyError(
        f"{job.name} asks for {asked} of the GPUs {', '.join(wanted)} and others hold {', '.join(held)}; "
        "try again when they have ended, or give the pool no more slots than there are GPUs"
    )


def claimed(containers: Iterable[ManagedContainer], *, but: Collection[str] = ()) -> frozenset[str]:
    """Return the devices that live containers claim, leaving out those with the ids ``but``."""
    return frozenset(
        device
        for container in containers
        if container.state in LIVE_STATES and container.id not in but
        for device in container.gpus
    )


def pause_seconds() -> float:
    """Return how long who has withdrawn waits: at random, so that two do not meet again."""
    return random.uniform(0.05, _LONGEST_PAUSE_SECONDS)  # noqa: S311  no secret
