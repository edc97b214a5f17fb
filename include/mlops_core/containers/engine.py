"""A Docker engine as the library uses it: jobs are started once, read, put aside and removed."""

import contextlib
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Literal, Self

from docker.errors import NotFound

from mlops_core.containers.address import EngineAddress, connect
from mlops_core.containers.files import read_file
from mlops_core.containers.labels import DIGEST, ManagedContainer, Removed, kept_name
from mlops_core.containers.objects import EngineObjects
from mlops_core.containers.refusals import translated
from mlops_core.containers.specification import WORK, ContainerJob
from mlops_core.containers.start import JobStart
from mlops_core.containers.starting import read_time
from mlops_core.containers.sweep import sweep
from mlops_core.document import Document

if TYPE_CHECKING:
    from docker import APIClient

__all__ = ["ContainerEngine", "EngineAddress", "Started", "connect"]


class Started(Document):
    """The containers of a job, by node, and how they came about.

    ``finished`` are those of an earlier call that have ended with exit code 0: they are not run again.
    """

    ids: tuple[str, ...]
    how: Literal["created", "adopted", "finished"]


class ContainerEngine:
    """Runs jobs on one engine. Every container, volume and network of a job is found by its name and labels.

    Parameters
    ----------
    client
        Any client of docker-py, such as the one that Airflow's hook gives.
    gpu_slots
        How many GPUs its machine has, where this process sees no driver that would say it; 0 if not known.
    """

    def __init__(self, client: "APIClient", *, gpu_slots: int = 0) -> None:
        self._objects = EngineObjects(client)
        self._gpu_slots = gpu_slots

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the client's connections."""
        self._objects.client.close()

    def start(self, job: ContainerJob) -> Started:
        """Start a job's containers, or adopt those that an earlier call has started; there are never two.

        What an earlier call left half-made, or what has failed, is removed and made anew.

        Raises
        ------
        ImageMissingError, GpuMissingError
            If the engine cannot run it.
        GpusBusyError, DiskFullError, ImageUnavailableError, DockerUnavailableError
            If it cannot now. Nothing half-made is left, unless the engine went away.
        """
        ids, how = JobStart(self._objects, job, gpu_slots=self._gpu_slots).run()
        return Started(ids=ids, how=how)

    def holds(self, job: ContainerJob) -> bool:
        """Whether there are containers of exactly this job, in whatever state."""
        found = [self._objects.inspect(name) for name in job.node_names]
        digests = [container["Config"]["Labels"].get(DIGEST) for container in found if container]
        return bool(digests) and set(digests) == {job.digest()}

    def result(self, job: ContainerJob) -> bytes | None:
        """Return the result file of node 0; None if this container has not written one.

        Raises
        ------
        ContainerFailedError
            If it is too large.
        """
        name = job.node_names[0]
        container = self._objects.inspect(name)
        if job.result is None or container is None:
            return None
        with translated(f"read the result of {name}"):
            try:
                chunks, stat = self._objects.client.get_archive(container["Id"], f"{WORK}/{job.result}")
            except NotFound:
                return None
            # The volume outlives containers: what is older than this one was written by an earlier one.
            with contextlib.closing(chunks):
                if read_time(stat["mtime"]) < read_time(container["Created"]):
                    next(chunks, None)  # only a stream that was begun is given back when it is closed
                    return None
                return read_file(chunks, name=job.result)

    def remove(self, job: ContainerJob | str, *, files: bool, only: Collection[str] | None = None) -> None:
        """Remove a job's containers at once, whatever they do, and the network of its nodes.

        Does nothing where there is nothing. What was kept stays, with its volume; with ``files``, a later
        start of the same job has a volume of its own.

        Parameters
        ----------
        job
            The job, or its name.
        files
            The volumes too; without them, a later start of the same job finds its checkpoints.
        only
            Ids of containers: no other is removed. Where none of them is left, or others are there, network
            and volumes belong to a later start.
        """
        name = job if isinstance(job, str) else job.name
        present = self._objects.containers(name)
        found = [container for container in present if not container.is_kept]
        chosen = [container for container in found if only is None or container.id in only]
        self._objects.remove_containers(chosen)
        if only is not None and (not chosen or chosen != found):
            return
        self._objects.remove_networks(name)
        if files:
            # First: whoever dies in between must not leave them to the next start.
            self._objects.keep_files([container for container in present if container.is_kept])
            self._objects.remove_volumes(name)

    def keep(self, job: ContainerJob, *, suffix: str) -> None:
        """Stop a job's containers and put them aside under another name, to be looked at.

        A later start does not adopt them. It uses their volume too, until ``remove`` gives the files up.
        """
        for found in reversed(self._objects.containers(job.name)):
            if not found.is_kept:
                self._objects.put_aside(found, name=kept_name(found.name, suffix=suffix))
        self._objects.remove_networks(job.name)

    def managed(self) -> tuple[ManagedContainer, ...]:
        """Return all containers of ours, ended and kept ones too."""
        return tuple(self._objects.containers())

    def sweep(self, is_alive: Callable[[ManagedContainer], bool]) -> tuple[Removed, ...]:
        """Remove containers, volumes and networks that nobody waits for.

        Parameters
        ----------
        is_alive
            Whether somebody still waits for a container. It is also asked about jobs of which only a volume
            is left: the container then has no id and the state ``gone``.
        """
        return sweep(self._objects, is_alive)
