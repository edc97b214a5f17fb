"""What is on an engine, by our labels: containers, volumes and networks, listed and removed."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from docker.errors import APIError, NotFound

from mlops_core.containers.labels import KEY, MANAGED, NAME, NODE, ManagedContainer, kept_for_good
from mlops_core.containers.refusals import translated

if TYPE_CHECKING:
    from docker import APIClient

_CONFLICT = 409


class EngineObjects:
    """The engine's objects that carry our labels."""

    def __init__(self, client: "APIClient") -> None:
        self.client = client

    def inspect(self, name_or_id: str) -> Mapping[str, Any] | None:
        """Return what the engine says about a container; None where there is none."""
        with translated(f"inspect {name_or_id}"):
            try:
                return cast("Mapping[str, Any]", self.client.inspect_container(name_or_id))
            except NotFound:
                return None

    def containers(self, job_name: str | None = None) -> list[ManagedContainer]:
        """Return our containers in whatever state, those of one job or all, by node."""
        with translated("list containers"):
            listed = self.client.containers(all=True, filters=_labelled(job_name))
        found = [ManagedContainer.of(entry) for entry in listed]
        return sorted(found, key=lambda container: (container.job_name, int(container.labels.get(NODE, "0"))))

    def volumes(self, job_name: str | None = None) -> list[dict[str, Any]]:
        """Return our volumes as the engine lists them."""
        with translated("list volumes"):
            return list(self.client.volumes(filters=_labelled(job_name))["Volumes"] or [])

    def networks(self, job_name: str | None = None) -> list[dict[str, Any]]:
        """Return our networks as the engine lists them."""
        with translated("list networks"):
            return list(self.client.networks(filters=_labelled(job_name)))

    def remove_containers(self, containers: Sequence[ManagedContainer]) -> None:
        """Kill and remove containers, node 0 last: it stands for the others."""
        for container in reversed(containers):
            self.remove_container(container.id)

    def remove_container(self, container_id: str, *, force: bool = True) -> bool:
        """Remove a container with what it holds; without force only one that does not run.

        Returns
        -------
        Whether it is gone, or on its way.
        """
        with translated(f"remove container {container_id}"):
            try:
                self.client.remove_container(container_id, force=force)
            except NotFound:
                return True
            except APIError as error:
                if error.status_code != _CONFLICT:
                    raise
                # Somebody else is removing it, or, without force, it runs.
                return "already in progress" in str(error.explanation)
        return True

    def remove_volumes(self, job_name: str) -> None:
        """Remove a job's volumes, but those that a kept container holds."""
        for volume in self.volumes(job_name):
            self.remove_volume(volume["Name"])

    def remove_volume(self, name: str) -> bool:
        """Remove a volume; say whether it is gone, which it is not while a container holds it."""
        with translated(f"remove volume {name}"):
            try:
                self.client.remove_volume(name)
            except NotFound:
                return True
            except APIError as error:
                if error.status_code != _CONFLICT:
                    raise
                return False
        return True

    def remove_networks(self, job_name: str) -> None:
        """Remove a job's networks; one that something is still connected to stays for a sweep."""
        for network in self.networks(job_name):
            self.remove_network(network["Id"])

    def remove_network(self, network_id: str) -> bool:
        """Remove a network; say whether it is gone, which it is not while a container is on it."""
        with translated(f"remove network {network_id}"):
            try:
                self.client.remove_network(network_id)
            except NotFound:
                return True
            except APIError as error:
                if "active endpoints" not in str(error.explanation):
                    raise
                return False
        return True

    def put_aside(self, container: ManagedContainer, *, name: str) -> None:
        """Stop a container at once and rename it; nothing happens where it is gone."""
        with translated(f"put {container.name} aside"), contextlib.suppress(NotFound):
            if container.state in {"running", "paused", "restarting"}:
                with contextlib.suppress(APIError):
                    # It may have ended meanwhile, which is as good.
                    self.client.kill(container.id)
                self.client.wait(container.id)
            for network in self.networks(container.job_name):
                with contextlib.suppress(APIError):
                    self.client.disconnect_container_from_network(container.id, network["Id"], force=True)
            self._rename(container.id, name)

    def keep_files(self, kept: Sequence[ManagedContainer]) -> None:
        """Mark the files of kept containers as theirs alone."""
        for container in kept:
            if not container.keeps_its_files:
                with translated(f"rename {container.name}"), contextlib.suppress(NotFound):
                    self._rename(container.id, kept_for_good(container.name))

    def _rename(self, container_id: str, name: str) -> None:
        try:
            self.client.rename(container_id, name)
        except APIError as error:
            if error.status_code != _CONFLICT:
                raise
            # A cleared task counts its tries from the beginning.
            self.client.rename(container_id, f"{name}-{container_id[:8]}")


def key_of(labelled: Mapping[str, Any]) -> str:
    """Return the operation key that a volume or a network was made for."""
    return str((labelled["Labels"] or {}).get(KEY, ""))


def _labelled(job_name: str | None) -> dict[str, Any]:
    return {"label": [f"{MANAGED}=true", *([f"{NAME}={job_name}"] if job_name else [])]}
