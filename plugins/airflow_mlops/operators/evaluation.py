"""Measure the candidates on held-out rows, and let the gates decide."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_mlops.links import EvaluationReportLink, MlflowRunLink
from airflow_mlops.operators.step import PipelineOperator, StepOperator, round_key

if TYPE_CHECKING:
    from airflow.sdk import Context


class EvaluateOperator(PipelineOperator):
    """Score all candidates and the champion on the same held-out rows.

    XCom: where the evaluation report lies (``run_id``), its ``digest``, whether its gates ``passed``, the
    ``challenger``, and its page.

    Parameters
    ----------
    plan
        What ``PlanTrainingOperator`` returned; templated.
    results
        What the mapped ``TrainOperator`` returned; templated.
    """

    template_fields: Sequence[str] = ("plan", "results")
    operator_extra_links = (EvaluationReportLink(), MlflowRunLink())

    def __init__(self, *, plan: Any, results: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.results = results

    def step(self, context: "Context") -> dict[str, Any]:
        """Evaluate and log the report to the challenger's run."""
        from mlops_core.evaluation.evaluate import evaluate, page_path
        from mlops_core.registry.records import EvaluationRecord
        from mlops_core.training.job import TrainingPlan, TrainResult

        # Cleared, it is another decision on the same held-out rows, and counts as one.
        report_key = round_key(context, retries=self.retries)
        report = evaluate(
            self.declaration,
            plan=TrainingPlan.model_validate(self.plan),
            results=[TrainResult.model_validate(result) for result in self.results],
            store=self.snapshots,
            tracking_uri=self.tracking_uri,
            reports=self.reports,
            report_key=report_key,
            former_uses=lambda rows: self.ledger.holdout_uses(
                self.declaration.name, rows_digest=rows, operation_key=report_key
            ),
        )
        self.show_run(report.challenger.run_id)
        page = page_path(self.declaration.name, report_key=report_key)
        self.ledger.record_evaluation(
            EvaluationRecord(
                model=report.pipeline,
                run_id=report.challenger.run_id,
                evidence_digest=report.digest(),
                rows_digest=report.rows_digest,
                candidate=report.challenger.candidate,
                passed=report.passed,
                page=page,
                dag_id=self.dag_id,
                operation_key=report_key,
                at=datetime.now(UTC),
            )
        )
        self.show_report("evaluation", page)
        for verdict in report.verdicts:
            self.log.info("%s: %s", "passed" if verdict.passed else "refused", verdict.reason)
        return {
            "run_id": report.challenger.run_id,
            "digest": report.digest(),
            "passed": report.passed,
            "challenger": report.challenger.candidate,
            "page": page,
        }


class GateOperator(StepOperator):
    """Fail unless every gate of an evaluation report passed; XCom: what it was given.

    Parameters
    ----------
    evaluation
        What ``EvaluateOperator`` returned; templated.
    """

    template_fields: Sequence[str] = ("evaluation",)
    operator_extra_links = (EvaluationReportLink(), MlflowRunLink())

    def __init__(self, *, evaluation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.evaluation = evaluation

    def step(self, context: "Context") -> dict[str, Any]:  # noqa: ARG002
        """Read the report and enforce it."""
        from mlops_core.evaluation.gates import enforce

        self.show_run(self.evaluation["run_id"])
        if page := self.evaluation.get("page"):
            self.show_report("evaluation", page)
        enforce(self.read_evaluation(self.evaluation))
        return dict(self.evaluation)
