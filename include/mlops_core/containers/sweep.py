"""Removing what crashes have left behind."""

from collections.abc import Callable
from typing import Any

from mlops_core.containers.labels import NAME, ManagedContainer, Removed
from mlops_core.containers.objects import EngineObjects, key_of

GONE = "gone"
"""State of the container that is asked about where only a volume or a network of it is left."""


def sweep(objects: EngineObjects, is_alive: Callable[[ManagedContainer], bool]) -> tuple[Removed, ...]:
    """Remove the objects of jobs that nobody waits for; what was kept stays."""
    # Volumes and networks are listed first: what is made after them belongs to somebody.
    volumes, networks = objects.volumes(), objects.networks()
    containers = objects.containers()
    removed = [
        Removed(kind="container", name=container.name, key=key_of({"Labels": container.labels}))
        for container in reversed(containers)
        if not container.is_kept and not is_alive(container) and objects.remove_container(container.id)
    ]
    left = {container.job_name for container in objects.containers() if not container.is_kept}
    removed += [
        Removed(kind="network", name=network["Name"], key=key_of(network))
        for network in networks
        if _is_orphan(network, left, is_alive) and objects.remove_network(network["Id"])
    ]
    removed += [
        Removed(kind="volume", name=volume["Name"], key=key_of(volume))
        for volume in volumes
        if _is_orphan(volume, left, is_alive) and objects.remove_volume(volume["Name"])
    ]
    return tuple(removed)


def _is_orphan(listed: dict[str, Any], left: set[str], is_alive: Callable[[ManagedContainer], bool]) -> bool:
    labels = listed["Labels"] or {}
    if labels.get(NAME) in left:
        return False
    # A task that waits for its next try has no container, and its checkpoints are in the volume.
    stand_in = ManagedContainer(id="", name=listed["Name"], state=GONE, labels=labels, created=0)
    return not is_alive(stand_in)
