from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlops_core.containers.specification import ContainerJob, ContainerSpec
from mlops_core.containers.starting import CREATION_SECONDS, Verdict, judge

JOB = ContainerJob(key="k", spec=ContainerSpec(image="i", command=("c",)), nodes=2)
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUNNING, DONE = ("running", 0), ("exited", 0)


def found(state: str, code: int = 0, *, digest: str = "", age: float = 0.0) -> dict[str, Any]:
    return {
        "State": {"Status": state, "ExitCode": code},
        "Config": {"Labels": {"mlops.digest": digest or JOB.digest()}},
        "Created": (NOW - timedelta(seconds=age)).isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.parametrize(
    ("nodes", "verdict"),
    [
        ((None, None), Verdict.CREATE),
        ((None, RUNNING), Verdict.REPLACE),
        ((RUNNING, RUNNING), Verdict.ADOPT),
        ((RUNNING, DONE), Verdict.ADOPT),
        ((("paused", 0), RUNNING), Verdict.ADOPT),
        ((DONE, DONE), Verdict.FINISHED),
        ((RUNNING, ("exited", 1)), Verdict.REPLACE),
        ((("exited", 137), DONE), Verdict.REPLACE),
        ((("dead", 0), DONE), Verdict.REPLACE),
        ((("removing", 0), DONE), Verdict.WAIT),
        ((("created", 0), ("created", 0)), Verdict.WAIT),
        ((RUNNING, ("created", 0)), Verdict.WAIT),
        ((RUNNING, None), Verdict.WAIT),
    ],
)
def test_states_call_for(nodes: tuple[tuple[str, int] | None, ...], verdict: Verdict) -> None:
    assert judge(JOB, [None if node is None else found(*node) for node in nodes], now=NOW) is verdict


@pytest.mark.parametrize("second", [None, found("created", age=CREATION_SECONDS + 1)])
def test_half_made_containers_are_completed_once_their_maker_has_had_its_time(
    second: dict[str, Any] | None,
) -> None:
    old = found("created", age=CREATION_SECONDS + 1)

    assert judge(JOB, [old, second], now=NOW) is Verdict.COMPLETE


def test_containers_of_another_digest_are_replaced_though_they_run() -> None:
    assert judge(JOB, [found("running"), found("running", digest="other")], now=NOW) is Verdict.REPLACE
