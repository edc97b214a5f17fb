"""Wiping a home takes the containers of its tasks along, and no others."""

from pathlib import Path

import pytest

from mlops_core.cli.embedded.containers import remove_containers
from mlops_core.cli.embedded.home import Home
from mlops_core.containers.engine import ContainerEngine, EngineAddress, connect
from mlops_core.containers.specification import ContainerJob, ContainerSpec


@pytest.mark.integration
def test_containers_of_the_homes_tasks_are_removed_and_no_others(
    docker_engine: str, python_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", docker_engine)
    spec = ContainerSpec(image=python_image, command=("sleep", "600"), memory_mb=32)
    own, other = (
        ContainerJob(key=f"{tmp_path.name}/{name}", spec=spec, labels={"mlops.stack": str(tmp_path / name)})
        for name in ("own", "other")
    )
    with ContainerEngine(connect(EngineAddress(url=docker_engine))) as engine:
        try:
            engine.start(own)
            engine.start(other)

            removed = remove_containers(Home(tmp_path / "own"))

            left = {found.job_name for found in engine.managed()}
            assert removed == 1
            assert own.name not in left
            assert other.name in left
        finally:
            engine.remove(own, files=True)
            engine.remove(other, files=True)
