"""Buttons on a task that lead to what it made.

Airflow calls ``get_link`` in the task's process when the task has ended, in whatever state, and stores the
address; so a refused partition links to the page that says why.
"""

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class _EvidenceLink(BaseOperatorLink):
    """Leads to one kind of evidence, which the operator noted while it ran."""

    kind = ""

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:  # noqa: ARG002
        """Return the address, or an empty string where the task made none."""
        evidence: dict[str, str] = getattr(operator, "evidence", {})
        return evidence.get(self.kind, "")


class MlflowRunLink(_EvidenceLink):
    """The tracked run in MLflow's web UI."""

    name = "MLflow run"
    kind = "mlflow_run"


class ValidationPageLink(_EvidenceLink):
    """What validation found in a partition."""

    name = "Validation"
    kind = "validation"


class EvaluationReportLink(_EvidenceLink):
    """The evidence that a gate judged."""

    name = "Evaluation report"
    kind = "evaluation"


class ModelCardLink(_EvidenceLink):
    """What is known of a version."""

    name = "Model card"
    kind = "card"


class ReproductionLink(_EvidenceLink):
    """Whether a version could be built again."""

    name = "Reproduction"
    kind = "reproduction"


class DriftReportLink(_EvidenceLink):
    """What the monitor found in a window."""

    name = "Drift report"
    kind = "drift"


class EvidentlyReportLink(_EvidenceLink):
    """The charts of the window beside the reference, by Evidently."""

    name = "Evidently report"
    kind = "evidently"
