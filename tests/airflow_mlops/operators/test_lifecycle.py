"""What becomes of a version later: the operators pass on who and why, and fail where they must."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from airflow_mlops.operators.lifecycle import AdoptOperator, ReproduceOperator, RetireOperator
from mlops_core.models.record import ModelRecord
from mlops_core.registry import adoption
from mlops_core.registry.ledger import Ledger
from mlops_core.reproduction import reproduce as reproduction
from mlops_core.reproduction.report import ReproductionReport, Verdict
from registry_examples import MODEL


@pytest.fixture
def context() -> Any:
    task = SimpleNamespace(dag_id="mlops__adopt", run_id="one", task_id="step", map_index=-1)
    return {"ti": task, "dag_run": SimpleNamespace(triggering_user_name="ada", dag_id="mlops__adopt")}


@pytest.mark.parametrize(("given", "passed"), [("3", 3), ("", None)])
def test_a_person_adopts_the_version_they_name_or_the_one_of_the_alias(
    context: Any, monkeypatch: pytest.MonkeyPatch, given: str, passed: int | None
) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(adoption, "adopt_manual_change", lambda _, **more: asked.append(more))
    operator = AdoptOperator(task_id="adopt", model=MODEL, reason="an outage", version=given)
    vars(operator).update(ledger="ledger", mlflow_client="client")

    operator.step(context)

    (call,) = asked
    assert (call["version"], call["actor"], call["reason"]) == (passed, "ada", "an outage")
    assert call["operation_key"] == "mlops__adopt/one/step"


def report(verdict: Verdict) -> ReproductionReport:
    record = ModelRecord(run_id="run", model_id="m-1", uri="models:/m-1", digest="ab" * 32)
    return ReproductionReport(
        model=MODEL,
        version=2,
        verdict=verdict,
        differences=("the seed was 0 and is 1",),
        environment="recorded",
        recorded_run_id="first",
        run_id="second",
        rebuilt=record,
        recorded_content="aa",
        rebuilt_content="bb",
        page="page",
    )


@pytest.mark.parametrize("verdict", ["identical", "equal", "different"])
def test_a_version_that_comes_out_different_fails_the_task_with_what_differs(
    context: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verdict: Verdict
) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    monkeypatch.setattr(reproduction, "reproduce_and_report", lambda *_, **__: report(verdict))
    shown: list[str] = []
    monkeypatch.setattr(
        ReproduceOperator, "show_report", lambda _, kind, page: shown.append(f"{kind} {page}")
    )
    operator = ReproduceOperator(task_id="reproduce", model=MODEL, version="2")
    vars(operator).update(ledger="ledger", tracking_uri="uri")

    if verdict == "different":
        with pytest.raises(AirflowFailException, match="is different: the seed was 0 and is 1"):
            operator.step(context)
    else:
        assert operator.step(context).verdict == verdict
    assert shown == ["reproduction page"]


def test_a_model_that_was_never_declared_has_nothing_to_retire(context: Any, tmp_path: Path) -> None:
    operator = RetireOperator(task_id="retire", model=MODEL, version=1, reason="old")
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        vars(operator)["ledger"] = ledger

        with pytest.raises(AirflowFailException, match=f"the ledger has no declaration of '{MODEL}'"):
            operator.execute(context)
