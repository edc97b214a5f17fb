"""Where the engine of a task is, and how it is spoken to."""

from typing import Any

import pytest

from airflow_mlops.operators import sweep
from airflow_mlops.operators.docker import DockerJobOperator
from airflow_mlops.operators.sweep import SweepContainersOperator
from mlops_core.containers.address import EngineAddress
from mlops_core.containers.specification import ContainerSpec

SPEC = ContainerSpec(image="image", command=("program",))
URL = "tcp://gpu-machine:2376"


@pytest.fixture(autouse=True)
def _secured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere.sock")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", "/certs")


def test_an_engine_that_a_task_names_is_spoken_to_over_tls() -> None:
    operator = DockerJobOperator(task_id="task", container=SPEC, docker_url=URL)

    assert operator.address == EngineAddress(url=URL, tls_folder="/certs")


def test_an_engine_that_a_sweep_names_is_spoken_to_over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(sweep, "connect_engine", lambda address, **_: asked.append(address))

    _ = SweepContainersOperator(task_id="sweep", docker_url=URL).engine

    assert asked == [EngineAddress(url=URL, tls_folder="/certs")]
