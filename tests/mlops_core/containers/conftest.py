"""A real engine, and jobs of which nothing is left after a test."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest

from docker_engine import docker_engine, python_image
from mlops_core.containers.engine import ContainerEngine, EngineAddress, connect
from mlops_core.containers.follow import Ended, Line
from mlops_core.containers.specification import ContainerJob, ContainerSpec

__all__ = ["docker_engine", "python_image"]

MakeJob = Callable[..., ContainerJob]


@pytest.fixture
def address(docker_engine: str) -> EngineAddress:
    return EngineAddress(url=docker_engine)


@pytest.fixture
def client(address: EngineAddress) -> Iterator[docker.APIClient]:
    client = connect(address)
    yield client
    client.close()


@pytest.fixture
def engine(client: docker.APIClient) -> ContainerEngine:
    return ContainerEngine(client)


@pytest.fixture
def make_job(engine: ContainerEngine, client: docker.APIClient, python_image: str) -> Iterator[MakeJob]:
    """Make jobs of a Python program each; their containers are removed after the test, kept ones too."""
    made: list[ContainerJob] = []

    def make(
        program: str = "pass", *, key: str | None = None, spec: Any = None, **fields: Any
    ) -> ContainerJob:
        written = {"memory_mb": 128, "cpus": 1.0, **(spec or {})}
        job = ContainerJob(
            key=key or f"test-containers/{uuid.uuid4().hex}",
            spec=ContainerSpec(**{"image": python_image, "command": ("python3", "-c", program), **written}),
            **fields,
        )
        made.append(job)
        return job

    yield make
    for job in made:
        for container in engine.managed():
            if container.job_name == job.name:
                client.remove_container(container.id, force=True)
        engine.remove(job, files=True)


class Lines:
    """Collects what ``follow`` shows."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def __call__(self, line: Line) -> None:
        self.lines.append(line)

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def run_job(engine: ContainerEngine, address: EngineAddress, lines: Lines) -> Callable[[ContainerJob], Ended]:
    """Start a job and follow it to its end."""
    import asyncio

    from mlops_core.containers.follow import follow

    def run(job: ContainerJob) -> Ended:
        return asyncio.run(follow(address, engine.start(job).ids, on_line=lines))

    return run


def read_json(content: bytes | None) -> Any:
    assert content is not None
    return json.loads(content)
