"""Containers on a network of their own fit one network together."""

import asyncio
import re

import pytest

from mlops_core.containers.address import EngineAddress, connect
from mlops_core.containers.ended import Ended
from mlops_core.containers.engine import ContainerEngine
from mlops_core.containers.follow import Line, follow
from mlops_core.containers.outcome import raise_for_end
from mlops_core.containers.specification import ContainerJob, ContainerSpec
from mlops_core.errors import ContainerFailedError
from mlops_core.runners import Docker
from mlops_core.settings import Settings
from mlops_core.training.docker import launcher
from training_containers import set_training_variables

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def run_nodes(
    declared: Docker, *, key: str, address: EngineAddress, environment: dict[str, str], network: str = "none"
) -> tuple[Ended, list[str]]:
    """Run one process a node until all have ended; return how, and what they wrote."""
    settings = Settings.from_environment()
    spec = ContainerSpec(
        image=settings.train_image,
        command=(*launcher(declared, key=key, network=network), "node_fit"),
        network=network,
        # As the runner sets it: with the shared store a restart is less reliable still.
        environment={"OMP_NUM_THREADS": "1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1", **environment},
        mounts=settings.train_mounts,
        memory_mb=1024,
        cpus=1,
    )
    job = ContainerJob(key=key, spec=spec, nodes=declared.nodes)
    engine = ContainerEngine(connect(address))
    lines: list[Line] = []
    try:
        started = engine.start(job)
        ended = asyncio.run(follow(address, started.ids, on_line=lines.append))
    finally:
        engine.remove(job, files=True)
    return ended, [line.text for line in lines]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, python_image: str) -> dict[str, str]:
    set_training_variables(monkeypatch, python_image)
    import os

    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH")}


@pytest.fixture
def address(docker_engine: str) -> EngineAddress:
    return EngineAddress(url=docker_engine)


def weights(lines: list[str]) -> dict[str, str]:
    found = [re.match(r"weights of rank (\d): (\w{64})", line) for line in lines]
    return {match[1]: match[2] for match in found if match}


@pytest.mark.parametrize("network", ["none", "host"])
def test_two_nodes_end_with_the_same_weights(
    address: EngineAddress, environment: dict[str, str], request: pytest.FixtureRequest, network: str
) -> None:
    ended, lines = run_nodes(
        Docker(nodes=2), key=request.node.name, address=address, environment=environment, network=network
    )

    assert ended.is_success, lines
    assert set(weights(lines)) == {"0", "1"}
    assert len(set(weights(lines).values())) == 1


def test_a_group_of_which_a_process_is_killed_starts_anew_and_ends_well_or_fails_and_never_hangs(
    address: EngineAddress, environment: dict[str, str], request: pytest.FixtureRequest
) -> None:
    ended, lines = run_nodes(
        Docker(nodes=2, restarts=1),
        key=request.node.name,
        address=address,
        environment={**environment, "DIES_ONCE": "yes"},
    )

    assert lines.count("rank 1 is about to be killed") == 1
    # torchrun does not promise that a restart over several nodes comes together; then it must say so.
    if ended.is_success:
        assert set(weights(lines)) == {"0", "1"}
        assert len(set(weights(lines).values())) == 1
    else:
        with pytest.raises(ContainerFailedError, match="exit code 1"):
            raise_for_end(ended, job_name="the group")


def test_a_group_that_may_not_start_anew_fails_and_says_which_process_died(
    address: EngineAddress, environment: dict[str, str], request: pytest.FixtureRequest
) -> None:
    ended, lines = run_nodes(
        Docker(nodes=2),
        key=request.node.name,
        address=address,
        environment={**environment, "DIES_ONCE": "yes"},
    )

    assert not ended.is_success
    assert any("SIGKILL" in line or "Signal 9" in line for line in lines), lines
