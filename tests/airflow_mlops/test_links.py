"""Links lead to what the operator noted while it ran."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.types import TaskInstanceKey

from airflow_mlops.links import DriftReportLink, EvaluationReportLink, MlflowRunLink, ValidationPageLink

KEY: Any = create_autospec(TaskInstanceKey, instance=True)


@pytest.mark.parametrize(
    ("link", "kind"),
    [
        (MlflowRunLink(), "mlflow_run"),
        (ValidationPageLink(), "validation"),
        (EvaluationReportLink(), "evaluation"),
        (DriftReportLink(), "drift"),
    ],
)
def test_a_link_leads_to_the_evidence_of_its_kind(link: Any, kind: str) -> None:
    operator: Any = SimpleNamespace(evidence={kind: "/there", "other": "/elsewhere"})
    assert link.get_link(operator, ti_key=KEY) == "/there"


def test_a_link_is_empty_where_the_task_made_nothing() -> None:
    assert MlflowRunLink().get_link(BaseOperator(task_id="any"), ti_key=KEY) == ""
