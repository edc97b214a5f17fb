"""Who asked for a training is known before anything is planned."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_mlops.assets import retraining_request_asset, snapshot_asset
from airflow_mlops.operators.step import StepOperator
from airflow_mlops.operators.training import PlanTrainingOperator
from mlops_core import planning
from mlops_core.planning import TrainingRequest
from toy_models import BINARY

SENT_BY_A_TASK = SimpleNamespace(source_dag_id=f"{BINARY.name}__monitor")
SENT_BY_THE_API = SimpleNamespace(source_dag_id=None)


class PlannedError(Exception):
    """The plan was asked for, which is all that these tests need."""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the task in a run of some kind; return the request that the plan was asked for."""
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    monkeypatch.setattr(StepOperator, "tracking_uri", "http://127.0.0.1:1")
    plan = create_autospec(planning.plan_training, side_effect=PlannedError)
    monkeypatch.setattr(planning, "plan_training", plan)

    def ask(run_type: str, events: dict[Any, Any] | None = None, user: str | None = None) -> TrainingRequest:
        dag_run = SimpleNamespace(
            run_type=run_type, dag_id=f"{BINARY.name}__train", triggering_user_name=user
        )
        context: Any = {
            "ti": SimpleNamespace(dag_id=dag_run.dag_id, run_id="one", task_id="plan", map_index=-1),
            "dag_run": dag_run,
            "params": {},
            "triggering_asset_events": events or {},
        }
        operator = PlanTrainingOperator(task_id="plan", pipeline="toy_models:BINARY")
        with pytest.raises(PlannedError):
            operator.execute(context)
        request = plan.call_args.kwargs["request"]
        assert isinstance(request, TrainingRequest)
        return request

    return ask


def test_a_person_is_named(asked: Any) -> None:
    request = asked("manual", user="ada")

    assert (request.requested_by, request.actor) == ("person", "ada")


def test_the_policy_asks_by_an_event_of_a_task(asked: Any) -> None:
    request = asked("asset_triggered", {retraining_request_asset(BINARY.name): [SENT_BY_A_TASK]})

    assert (request.requested_by, request.actor) == ("policy", f"dag:{BINARY.name}__train")


@pytest.mark.parametrize(
    ("run_type", "events"),
    [("scheduled", {}), ("asset_triggered", {snapshot_asset(BINARY.name): [SENT_BY_A_TASK]})],
)
def test_what_is_due_is_not_the_policys_wish(asked: Any, run_type: str, events: dict[Any, Any]) -> None:
    assert asked(run_type, events).requested_by == "schedule"


def test_an_event_that_names_no_sender_trains_nothing(asked: Any) -> None:
    with pytest.raises(AirflowFailException, match="who sent it; trigger toy_binary__train instead"):
        asked("asset_triggered", {retraining_request_asset(BINARY.name): [SENT_BY_A_TASK, SENT_BY_THE_API]})
