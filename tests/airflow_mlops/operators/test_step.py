"""How a step's outcome becomes what Airflow does about it."""

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_mlops.operators.step import StepOperator, actor, effect_key
from mlops_core.document import Document
from mlops_core.errors import (
    DeclarationError,
    GateRefusedError,
    PromotionConflictError,
    RegistryUnavailableError,
)


class Answer(Document):
    value: int


class Scripted(StepOperator):
    """Raises or returns what it was given."""

    def __init__(self, *, outcome: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.outcome = outcome

    def step(self, context: Any) -> Any:  # noqa: ARG002
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def run_context(**dag_run: Any) -> Any:
    task_instance = SimpleNamespace(dag_id="toy__train", run_id="manual__1", task_id="train", map_index=-1)
    run = {"dag_id": "toy__train", "triggering_user_name": None, "conf": {}, **dag_run}
    return {
        "ti": task_instance,
        "dag_run": SimpleNamespace(**run),
        "dag": SimpleNamespace(params={"reason": "", "seed": None}),
        "params": {"reason": "", "seed": None, **run["conf"]},
    }


@pytest.mark.parametrize("error", [GateRefusedError, PromotionConflictError, DeclarationError])
def test_a_decision_against_the_model_fails_without_a_retry(error: type[Exception]) -> None:
    operator = Scripted(task_id="any", outcome=error("roc_auc 0.4 is below 0.6"))
    with pytest.raises(AirflowFailException, match=r"roc_auc 0\.4 is below 0\.6") as failure:
        operator.execute(run_context())
    assert isinstance(failure.value.__cause__, error)


def test_an_unreachable_service_raises_as_it_is_so_that_airflow_retries() -> None:
    operator = Scripted(task_id="any", outcome=RegistryUnavailableError("MLflow did not answer"))
    with pytest.raises(RegistryUnavailableError):
        operator.execute(run_context())


def test_a_document_becomes_plain_json_for_the_xcom() -> None:
    assert Scripted(task_id="any", outcome=Answer(value=3)).execute(run_context()) == {"value": 3}


def test_the_effect_key_is_the_same_for_every_try_and_differs_between_mapped_tasks() -> None:
    first, second, mapped = run_context(), run_context(), run_context()
    second["ti"].try_number = 2
    mapped["ti"].map_index = 1
    assert effect_key(first) == effect_key(second) == "toy__train/manual__1/train"
    assert effect_key(mapped) == "toy__train/manual__1/train/1"


def test_the_actor_is_the_person_or_else_the_dag() -> None:
    assert actor(run_context(triggering_user_name="ada")) == "ada"
    assert actor(run_context()) == "dag:toy__train"


def test_a_closed_conf_refuses_a_key_that_is_no_param_by_name() -> None:
    operator = Scripted(task_id="any", outcome=None, closed_conf=True)
    with pytest.raises(AirflowFailException, match="conf has unknown keys: image; known keys: reason, seed"):
        operator.execute(run_context(conf={"image": "evil:latest"}))


def test_a_closed_conf_lets_declared_keys_pass() -> None:
    operator = Scripted(task_id="any", outcome=Answer(value=3), closed_conf=True)
    assert operator.execute(run_context(conf={"seed": 7})) == {"value": 3}


def test_an_operator_in_anyones_dag_leaves_the_conf_alone() -> None:
    operator = Scripted(task_id="any", outcome=Answer(value=3))
    assert operator.execute(run_context(conf={"image": "theirs"})) == {"value": 3}
