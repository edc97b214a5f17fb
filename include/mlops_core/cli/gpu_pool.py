"""The Airflow pool in which tasks with GPUs wait: how large it is, and who says so."""

import os

from mlops_core.cli.airflow_api import AirflowClient, Pool
from mlops_core.errors import PlatformError

GPU_SLOTS = "MLOPS_GPU_SLOTS"
"""Variable with the number of slots; tasks are told by it, too."""

_NAME = "gpu"
_UNLIMITED = -1


def gpu_slots(*, gpus: int) -> int:
    """Return what ``MLOPS_GPU_SLOTS`` says; the number of visible GPUs where it is not set.

    Raises
    ------
    PlatformError
        If the variable is no number.
    """
    said = os.environ.get(GPU_SLOTS)
    if not said:
        return gpus
    if not said.isdecimal():
        raise PlatformError(f"{GPU_SLOTS}={said!r} is no number of slots; give 0 for no limit, or 1 and more")
    return int(said)


def gpu_pool(slots: int) -> Pool:
    """Return the pool with a slot a GPU; without a limit where there is nothing to share.

    Airflow never starts a task that takes more slots than its pool has: only a task that starts can say that
    there is no GPU, or do without one.
    """
    return Pool(
        name=_NAME,
        slots=slots or _UNLIMITED,
        # Says the number, so that slots that a person has changed are told from these.
        description=f"One slot a GPU, {slots} of them" if slots else "No GPU is visible: nothing to share",
        # A task that waits for its container in the triggerer still has the GPU.
        include_deferred=True,
    )


def size_gpu_pool(airflow: AirflowClient, *, gpus: int) -> None:
    """Give the pool the size that the machine has now; slots that somebody has changed in Airflow stay.

    ``MLOPS_GPU_SLOTS`` wins over both.
    """
    wanted = gpu_pool(gpu_slots(gpus=gpus))
    found = airflow.pool(_NAME)
    if found is not None and not os.environ.get(GPU_SLOTS) and not _is_as_made(found):
        wanted = found.model_copy(update={"include_deferred": True})
    if wanted != found:
        airflow.set_pool(wanted)


def _is_as_made(pool: Pool) -> bool:
    return pool.description == gpu_pool(max(0, pool.slots)).description
