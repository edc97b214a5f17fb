"""What the evaluation hands on: every later step reads the same report, and shows its page."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock, create_autospec

import pytest
from airflow.sdk.exceptions import AirflowFailException
from mlflow import MlflowClient

from airflow_mlops.operators.evaluation import GateOperator
from airflow_mlops.operators.step import StepOperator
from evaluation_examples import RECORD
from mlops_core.evaluation import evidence
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.reports import ReportStore
from registry_examples import MODEL, passed_report

REPORT = passed_report(RECORD)


@pytest.fixture
def evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What ``EvaluateOperator`` returned, with its page in the report store."""
    monkeypatch.setenv("MLOPS_REPORTS_PATH", str(tmp_path))
    monkeypatch.setattr(StepOperator, "mlflow_client", create_autospec(MlflowClient, instance=True))
    monkeypatch.setattr(StepOperator, "show_run", create_autospec(StepOperator.show_run))
    page = ReportStore(tmp_path).write(
        pipeline=MODEL, kind="evaluation", key="one", name="report.html", content="<p>"
    )
    return {
        "run_id": RECORD.run_id,
        "digest": REPORT.digest(),
        "passed": True,
        "challenger": REPORT.challenger.candidate,
        "page": page,
    }


def reading(report: EvaluationReport, monkeypatch: pytest.MonkeyPatch) -> Mock:
    read: Mock = create_autospec(evidence.read_report, return_value=report)
    monkeypatch.setattr(evidence, "read_report", read)
    return read


def test_the_gate_hands_on_what_it_was_given_and_links_to_the_page(
    evaluated: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = reading(REPORT, monkeypatch)
    gate = GateOperator(task_id="gate", evaluation=evaluated)

    assert gate.execute({}) == evaluated

    assert read.call_args.args[1:] == (RECORD.run_id,)
    assert read.call_args.kwargs == {"digest": REPORT.digest()}
    assert gate.evidence["evaluation"].endswith("path=" + evaluated["page"].replace("/", "%2F"))


def test_the_gate_fails_the_task_of_a_report_that_did_not_pass(
    evaluated: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = REPORT.verdicts[0].model_copy(update={"passed": False, "reason": "roc_auc is 0.5"})
    reading(REPORT.model_copy(update={"verdicts": (refused,)}), monkeypatch)

    with pytest.raises(AirflowFailException, match=r"roc_auc is 0\.5"):
        GateOperator(task_id="gate", evaluation=evaluated).execute({})


def test_without_a_page_there_is_no_link(evaluated: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    reading(REPORT, monkeypatch)
    bare = {"run_id": evaluated["run_id"], "digest": evaluated["digest"]}
    gate = GateOperator(task_id="gate", evaluation=bare)

    assert gate.execute({}) == bare
    assert "evaluation" not in gate.evidence
