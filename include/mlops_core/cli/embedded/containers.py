"""Containers that the platform's tasks have started: they outlive it, so that a retry finds them."""

from mlops_core.cli.embedded.home import Home
from mlops_core.errors import DockerUnavailableError


def remove_containers(home: Home) -> int:
    """Remove the containers of this home's tasks, with their files; 0 where there is no Docker engine."""
    from mlops_core.containers.engine import ContainerEngine, EngineAddress, connect
    from mlops_core.containers.labels import STACK

    try:
        with ContainerEngine(connect(EngineAddress.from_environment())) as engine:
            removed = engine.sweep(lambda found: found.labels.get(STACK) != str(home.root))
    except DockerUnavailableError:
        return 0
    return sum(thing.kind == "container" for thing in removed)
