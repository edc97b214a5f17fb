"""A triggerer that is told to let go removes only what nobody waits for."""

import asyncio
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

from airflow_mlops.triggers.container import ContainerTrigger
from mlops_core.containers import address, engine
from mlops_core.containers.engine import ContainerEngine

WAITED_FOR = (
    *("deferred", "scheduled", "queued", "running", "restarting"),
    *("up_for_retry", "up_for_reschedule", "awaiting_input"),
)


def removed_after(monkeypatch: pytest.MonkeyPatch, states: dict[str, Any]) -> Any:
    """Let the trigger be cancelled while Airflow says this of the task; return what was removed."""
    found = create_autospec(ContainerEngine, instance=True)
    found.__enter__.return_value = found
    monkeypatch.setattr(address, "connect", lambda _: None)
    monkeypatch.setattr(engine, "ContainerEngine", lambda _: found)
    monkeypatch.setattr(RuntimeTaskInstance, "get_task_states", lambda **_: states)
    trigger = ContainerTrigger(address={}, name="job", ids=["one"])
    trigger.task_instance = SimpleNamespace(  # type: ignore[assignment]
        dag_id="dag", run_id="run", task_id="task", map_index=-1
    )

    asyncio.run(trigger.on_kill())

    return found.remove.call_args


@pytest.mark.parametrize("state", WAITED_FOR)
def test_containers_of_a_task_that_goes_on_stay(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    assert removed_after(monkeypatch, {"run": {"task": state}}) is None


@pytest.mark.parametrize("state", [None, "failed", "success", "skipped", "upstream_failed", "removed"])
def test_containers_of_a_task_that_a_person_ended_or_cleared_are_removed(
    monkeypatch: pytest.MonkeyPatch, state: str | None
) -> None:
    call = removed_after(monkeypatch, {"run": {"task": state}})

    assert (call.args, call.kwargs) == (("job",), {"files": True, "only": ["one"]})


@pytest.mark.parametrize("states", [{}, {"run": {}}])
def test_containers_of_a_task_that_is_gone_are_removed(
    monkeypatch: pytest.MonkeyPatch, states: dict[str, Any]
) -> None:
    assert removed_after(monkeypatch, states) is not None
