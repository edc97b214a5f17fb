"""What becomes of a version later: the operators pass on who and why, and fail where they must."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec
from urllib.parse import quote

import pytest
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.types import TaskInstanceKey

from airflow_mlops.operators.lifecycle import AdoptOperator, ReproduceOperator, RetireOperator
from mlops_core.models.record import ModelRecord
from mlops_core.registry import adoption
from mlops_core.registry.ledger import Ledger
from mlops_core.reports import ReportStore
from mlops_core.reproduction import reproduce as reproduction
from mlops_core.reproduction.report import ReproductionReport, Verdict
from registry_examples import MODEL

KEY: Any = create_autospec(TaskInstanceKey, instance=True)


@pytest.fixture
def context() -> Any:
    task = SimpleNamespace(dag_id="mlops__adopt", run_id="one", task_id="step", map_index=-1)
    return {"ti": task, "dag_run": SimpleNamespace(triggering_user_name="ada", dag_id="mlops__adopt")}


@pytest.mark.parametrize(("given", "passed"), [("3", 3), ("", None)])
def test_a_person_adopts_the_version_they_name_or_the_one_of_the_alias(
    context: Any, monkeypatch: pytest.MonkeyPatch, given: str, passed: int | None
) -> None:
    adopt = create_autospec(adoption.adopt_manual_change, return_value="the transition")
    monkeypatch.setattr(adoption, "adopt_manual_change", adopt)
    operator = AdoptOperator(task_id="adopt", model=MODEL, reason="an outage", version=given)
    vars(operator).update(ledger="ledger", mlflow_client="client")

    assert operator.step(context) == "the transition"

    adopt.assert_called_once_with(
        MODEL,
        version=passed,
        ledger="ledger",
        client="client",
        reason="an outage",
        actor="ada",
        operation_key="mlops__adopt/one/step",
    )


def report(verdict: Verdict, *, page: str) -> ReproductionReport:
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
        page=page,
    )


@pytest.mark.parametrize(
    ("verdict", "environment"), [("identical", "recorded"), ("equal", "current"), ("different", "recorded")]
)
def test_a_version_that_comes_out_different_fails_the_task_with_what_differs(
    context: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verdict: Verdict, environment: str
) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    reports = ReportStore(tmp_path / "reports")
    page = reports.write(pipeline=MODEL, kind="reproduction", key="2", name="report.html", content="told")
    reproduce = create_autospec(reproduction.reproduce_and_report, return_value=report(verdict, page=page))
    monkeypatch.setattr(reproduction, "reproduce_and_report", reproduce)
    operator = ReproduceOperator(task_id="reproduce", model=MODEL, version="2", environment=environment)
    vars(operator).update(ledger="ledger", tracking_uri="uri", reports=reports)

    if verdict == "different":
        words = f"version 2 of {MODEL} was built again and is different: the seed was 0 and is 1"
        with pytest.raises(AirflowFailException, match=words):
            operator.execute(context)
    else:
        assert operator.execute(context)["verdict"] == verdict

    reproduce.assert_called_once_with(
        MODEL,
        2,
        ledger="ledger",
        tracking_uri="uri",
        data_uri=str(tmp_path / "data"),
        reports=reports,
        operation_key="mlops__adopt/one/step",
        environment=environment,
    )
    (link,) = operator.operator_extra_links
    assert link.get_link(operator, ti_key=KEY).endswith(f"&path={quote(page, safe='')}")


def test_an_environment_that_is_none_fails_the_task_before_anything_is_fitted(
    context: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    operator = ReproduceOperator(task_id="reproduce", model=MODEL, version="2", environment="curent")
    vars(operator).update(ledger="ledger", tracking_uri="uri", reports=ReportStore(tmp_path / "reports"))

    with pytest.raises(AirflowFailException, match="the environment is 'curent'; give recorded or current"):
        operator.execute(context)


def test_a_model_that_was_never_declared_has_nothing_to_retire(context: Any, tmp_path: Path) -> None:
    operator = RetireOperator(task_id="retire", model=MODEL, version=1, reason="old")
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        vars(operator)["ledger"] = ledger

        with pytest.raises(AirflowFailException, match=f"the ledger has no declaration of '{MODEL}'"):
            operator.execute(context)
