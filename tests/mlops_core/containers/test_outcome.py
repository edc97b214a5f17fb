from typing import Any

import pytest

from mlops_core.containers.ended import Ended, NodeEnd
from mlops_core.containers.outcome import raise_for_end
from mlops_core.errors import (
    ContainerError,
    ContainerFailedError,
    ContainerInterruptedError,
    ContainerLostError,
    ContainerOutOfMemoryError,
    ContainerTimeoutError,
    DiskFullError,
    MlopsError,
    ServiceUnavailableError,
)


def node(**fields: Any) -> NodeEnd:
    return NodeEnd(**{"id": "1", "exit_code": 0, **fields})


def test_end_with_code_0_of_every_node_is_no_error() -> None:
    raise_for_end(Ended(nodes=(node(), node()), interrupted=True), job_name="j")


@pytest.mark.parametrize(
    ("ended", "error", "message"),
    [
        (
            Ended(nodes=(node(exit_code=3),)),
            ContainerFailedError,
            "j ended with exit code 3; it wrote nothing",
        ),
        (
            Ended(nodes=(node(), node(exit_code=3))),
            ContainerFailedError,
            r"j \(node 1\) ended with exit code 3",
        ),
        (Ended(nodes=(node(exit_code=None, lost=True),)), ContainerLostError, "j was removed"),
        (Ended(nodes=()), ContainerLostError, "no container"),
        (Ended(nodes=(node(exit_code=None),), timed_out=True), ContainerTimeoutError, "execution_timeout"),
        (Ended(nodes=(node(exit_code=143),), interrupted=True), ContainerInterruptedError, "exit code 143"),
        (
            Ended(nodes=(node(exit_code=137, oom_killed=True, memory_limit_mb=64),), interrupted=True),
            ContainerOutOfMemoryError,
            r"64 MB \(peak seen unknown\)",
        ),
        (
            Ended(nodes=(node(exit_code=1, last_lines=("OSError: [Errno 28] No space left on device",)),)),
            DiskFullError,
            "free the engine's disk",
        ),
        (
            Ended(nodes=(node(exit_code=128, error="no space left on device: No space left on device"),)),
            DiskFullError,
            "exit code 128",
        ),
    ],
)
def test_other_ends_are(ended: Ended, error: type[MlopsError], message: str) -> None:
    with pytest.raises(error, match=message):
        raise_for_end(ended, job_name="j")


def test_blame_is_on_the_first_node_to_fail_and_before_that_on_one_without_memory() -> None:
    early = node(exit_code=1, finished_at="2026-01-01T00:00:01Z")
    late = node(exit_code=2, finished_at="2026-01-01T00:00:02Z")
    starved = node(exit_code=137, oom_killed=True, finished_at="2026-01-01T00:00:03Z")
    removed = node(exit_code=None, lost=True)

    with pytest.raises(ContainerFailedError, match=r"node 2\) ended with exit code 1"):
        raise_for_end(Ended(nodes=(removed, late, early)), job_name="j")
    with pytest.raises(ContainerOutOfMemoryError, match="node 2"):
        raise_for_end(Ended(nodes=(late, early, starved)), job_name="j")


def test_what_came_from_outside_is_told_from_what_the_container_did() -> None:
    assert issubclass(ContainerInterruptedError, ServiceUnavailableError)
    assert issubclass(ContainerLostError, ServiceUnavailableError)
    assert issubclass(ContainerFailedError, ContainerError)
    assert not issubclass(ContainerError, ServiceUnavailableError)


def test_usage_adds_time_and_takes_the_largest_memory() -> None:
    ended = Ended(
        nodes=(node(cpu_seconds=1.5, peak_memory_mb=10), node(cpu_seconds=2, peak_memory_mb=30), node())
    )

    assert ended.usage() == {"cpu_seconds": 3.5, "peak_memory_mb": 30}
    assert Ended(nodes=(node(),)).usage() == {}
