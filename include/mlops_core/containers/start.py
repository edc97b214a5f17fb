"""Starting a job's containers so that there are never two of one key, whoever dies or races meanwhile."""

import contextlib
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from docker.errors import APIError, ImageNotFound, NotFound

from mlops_core.containers import gpus
from mlops_core.containers.create import creation_body
from mlops_core.containers.files import work_archive
from mlops_core.containers.labels import job_labels
from mlops_core.containers.objects import EngineObjects
from mlops_core.containers.refusals import pull_refusal, translated
from mlops_core.containers.specification import FILES, NO_NETWORK, ContainerJob
from mlops_core.containers.starting import Verdict, judge, read_time
from mlops_core.containers.volumes import choose_volume
from mlops_core.errors import ContainerError, DockerUnavailableError, GpusBusyError

START_SECONDS = 120.0
"""How long a start waits for other processes, and for the engine to finish a removal."""
_LOOK_SECONDS = 0.1
_NOT_FOUND = 404
_CONFLICT = 409

How = Literal["created", "adopted", "finished"]

log = logging.getLogger(__name__)


class _TakenError(Exception):
    """Another process was faster, or has taken this one for dead; look again."""


class _Engine(NamedTuple):
    """What the engine says about its machine."""

    now: datetime
    cpus: float


class JobStart:
    """One call of ``start``.

    The name of node 0's container is the lock: the engine gives it to one process, and who has created it
    makes the rest. A container is only ever started by who created it. Another process that takes the creator
    for dead removes the containers that were never started, without force: the engine refuses that for one
    that runs, so a creator that was merely slow is not harmed, or finds its container gone and looks again.
    """

    def __init__(self, objects: EngineObjects, job: ContainerJob, *, gpu_slots: int = 0) -> None:
        self._objects = objects
        self._client = objects.client
        self._job = job
        self._gpu_slots = gpu_slots

    def run(self) -> tuple[tuple[str, ...], How]:
        """Return the ids by node, and how they came about."""
        patience = time.monotonic() + START_SECONDS
        leases = 0
        while time.monotonic() < patience:
            found = [self._objects.inspect(name) for name in self._job.node_names]
            engine = self._ask_engine()
            match judge(self._job, found, now=engine.now):
                case Verdict.ADOPT:
                    return _ids(found), "adopted"
                case Verdict.FINISHED:
                    return _ids(found), "finished"
                case Verdict.REPLACE:
                    self._remove(found)
                case Verdict.COMPLETE:
                    self._clear_unstarted(found)
                case Verdict.WAIT:
                    time.sleep(_LOOK_SECONDS)
                case Verdict.CREATE:
                    try:
                        return self._create(engine), "created"
                    except _TakenError:
                        continue
                    except GpusBusyError:
                        leases += 1
                        if leases >= gpus.LEASE_TRIES:
                            raise
                        time.sleep(gpus.pause_seconds())
        raise ContainerError(
            f"{self._job.name} could not be started within {START_SECONDS:.0f} s: another process, or the "
            f"engine, is still at its containers; look at `docker ps --all --filter name={self._job.name}`"
        )

    def _ask_engine(self) -> _Engine:
        with translated("say what its machine is"):
            info = self._client.info()
        return _Engine(now=read_time(info["SystemTime"]), cpus=float(info["NCPU"]))

    def _create(self, engine: _Engine) -> tuple[str, ...]:
        """Create and start all nodes, or leave none of them."""
        job = self._job
        devices = self._choose_devices()
        volumes = self._choose_volumes()
        created: list[str] = []
        new_volumes: list[str] = []
        try:
            for node, volume in enumerate(volumes):
                new_volumes += self._create_volume(volume, node=node)
                body = creation_body(
                    job, node=node, engine_cpus=engine.cpus, devices=devices[node], volume=volume
                )
                created.append(self._create_container(body, node=node))
            self._check_lease(devices, created)
            self._connect_nodes(created)
            for container in created:
                self._fill(container)
            for container in created:
                self._start(container)
        except DockerUnavailableError:
            # Nothing can be removed; the next start finds what is there.
            raise
        except BaseException as error:
            self._undo(created, volumes=[] if isinstance(error, _TakenError) else new_volumes)
            raise
        return tuple(created)

    def _choose_devices(self) -> tuple[gpus.Devices, ...]:
        job = self._job
        if job.spec.gpus is None:
            return ((),) * job.nodes
        taken = gpus.claimed(self._objects.containers())
        devices = gpus.choose_devices(job, visible=gpus.visible_gpus(), taken=taken, slots=self._gpu_slots)
        if not any(devices):
            log.warning(
                "no GPU driver is visible here: the engine chooses the devices of %s, and two containers may "
                "share one; set MLOPS_GPU_SLOTS to the number of its GPUs",
                job.name,
            )
        return devices

    def _undo(self, created: Sequence[str], *, volumes: Sequence[str]) -> None:
        try:
            for container in reversed(created):
                self._objects.remove_container(container)
            if created:
                self._objects.remove_networks(self._job.name)
            for volume in volumes:
                self._objects.remove_volume(volume)
        except (ContainerError, DockerUnavailableError) as error:
            # The reason for the undoing matters more.
            log.warning("could not remove what was half made of %s: %s", self._job.name, error)

    def _choose_volumes(self) -> tuple[str, ...]:
        """Return a volume a node: that of the try before, unless a kept container has it for good."""
        name = self._job.name
        existing = {volume["Name"] for volume in self._objects.volumes(name)}
        kept = [found.volumes for found in self._objects.containers(name) if found.keeps_its_files]
        given_up = frozenset().union(*kept)
        return tuple(
            choose_volume(node, existing=existing, given_up=given_up) for node in self._job.node_names
        )

    def _create_volume(self, name: str, *, node: int) -> list[str]:
        with translated(f"create volume {name}"):
            try:
                self._client.inspect_volume(name)
            except NotFound:
                self._client.create_volume(name, labels=job_labels(self._job, node=node))
                return [name]
        return []

    def _create_container(self, body: dict[str, Any], *, node: int, pull: bool = True) -> str:
        name = self._job.node_names[node]
        with translated(f"create {name}"):
            try:
                return str(self._client.create_container_from_config(body, name)["Id"])
            except ImageNotFound:
                if not pull:
                    raise
            except APIError as error:
                if error.status_code == _CONFLICT and node == 0:
                    raise _TakenError from error
                if error.status_code != _CONFLICT:
                    raise
                # Node 0 is ours, so this is what an interrupted removal has left.
                self._remove_leftover(name)
        if self._is_image_missing():
            self._pull()
        return self._create_container(body, node=node, pull=False)

    def _remove_leftover(self, name: str) -> None:
        leftover = self._objects.inspect(name)
        if leftover is not None:
            self._objects.remove_container(leftover["Id"])

    def _is_image_missing(self) -> bool:
        with translated(f"look for image {self._job.spec.image}"):
            try:
                self._client.inspect_image(self._job.spec.image)
            except ImageNotFound:
                return True
        return False

    def _pull(self) -> None:
        image = self._job.spec.image
        with translated(f"pull {image}", pulling=image):
            for step in self._client.pull(image, stream=True, decode=True):
                # The answer began well, and says on the way what went wrong.
                if "error" in step:
                    raise pull_refusal(step["error"], image=image)

    def _check_lease(self, devices: Sequence[tuple[str, ...]], created: Sequence[str]) -> None:
        """Withdraw if somebody claimed one of the devices meanwhile: both see each other's claim by now."""
        own = {device for leased in devices for device in leased}
        others = gpus.claimed(self._objects.containers(), but=created) if own else frozenset()
        if own & others:
            raise gpus.busy(self._job, wanted=sorted(own), free=sorted(own - others))

    def _connect_nodes(self, created: Sequence[str]) -> None:
        """Make the nodes' own network; node 0 is ours, so nobody else makes it."""
        job = self._job
        if job.network_name is None:
            return
        if not self._objects.networks(job.name):
            with translated(f"create network {job.network_name}"):
                self._client.create_network(
                    job.network_name, driver="bridge", internal=True, labels=job_labels(job)
                )
        if job.spec.network == NO_NETWORK:
            return
        for container in created:
            with translated(f"connect {job.name} to network {job.spec.network}"), self._taken_if_gone():
                self._client.connect_container_to_network(container, job.spec.network)

    def _fill(self, container: str) -> None:
        with translated(f"write the inputs of {self._job.name}"), self._taken_if_gone():
            self._client.put_archive(container, FILES, work_archive(self._job))

    def _start(self, container: str) -> None:
        with translated(f"start {self._job.name}"), self._taken_if_gone():
            self._client.start(container)

    @contextlib.contextmanager
    def _taken_if_gone(self) -> Iterator[None]:
        """Look again where the container, or the nodes' network, is no more: somebody took us for dead."""
        try:
            yield
        except APIError as error:
            said = str(error.explanation)
            if "No such container" in said or "marked for removal" in said:
                raise _TakenError from error
            if error.status_code == _NOT_FOUND and self._job.network_name and self._job.network_name in said:
                raise _TakenError from error
            raise

    def _remove(self, found: Sequence[Mapping[str, Any] | None]) -> None:
        """Remove exactly the containers that were judged: one made meanwhile has another id."""
        for container in reversed(found):
            if container is not None:
                log.info("removing %s, which is %s", container["Name"], container["State"]["Status"])
                self._objects.remove_container(container["Id"])

    def _clear_unstarted(self, found: Sequence[Mapping[str, Any] | None]) -> None:
        """Remove what a dead process has left: without force what has not started."""
        for container in reversed(found):
            if container is None:
                continue
            has_started = container["State"]["Status"] != "created"
            self._objects.remove_container(container["Id"], force=has_started)


def _ids(found: Sequence[Mapping[str, Any] | None]) -> tuple[str, ...]:
    return tuple(str(container["Id"]) for container in found if container is not None)
