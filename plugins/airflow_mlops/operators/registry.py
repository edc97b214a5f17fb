"""Register, promote, roll back, reconcile: the transitions of the ledger and their mirror in MLflow."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlops.links import MlflowRunLink, ModelCardLink
from airflow_mlops.openlineage import OpenLineageMixin
from airflow_mlops.operators.step import (
    PipelineOperator,
    StepOperator,
    actor,
    effect_key,
)
from mlops_core.operation import operation_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_core.registry.mirror import ReconcileReport
    from mlops_core.registry.records import Transition, VersionRecord


class RegisterOperator(OpenLineageMixin, PipelineOperator):
    """Make a model version of an evaluated run, with its reference profile, once; XCom: ``VersionRecord``.

    Parameters
    ----------
    evaluation
        What ``EvaluateOperator`` or ``GateOperator`` returned; templated. ``run_id`` and ``digest`` suffice.
    """

    template_fields: Sequence[str] = ("evaluation",)
    operator_extra_links = (MlflowRunLink(), ModelCardLink())

    def __init__(self, *, evaluation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.evaluation = evaluation

    def step(self, context: "Context") -> "VersionRecord":
        """Register, or adopt the version of the same operation key."""
        from mlops_core.lineage.openlineage import StepLineage, model_dataset, version_dataset
        from mlops_core.monitoring.capture import capture_profile
        from mlops_core.registry.register import register

        report = self.read_evaluation(self.evaluation)
        self.show_run(report.challenger.run_id)
        capture_profile(self.declaration, report=report, store=self.snapshots, tracking_uri=self.tracking_uri)
        version = register(
            report,
            ledger=self.ledger,
            tracking_uri=self.tracking_uri,
            # Cleared after another evaluation, it is another registration.
            operation_key=operation_key(effect_key(context), report.digest()[:16]),
            actor=actor(context),
        )
        stored = model_dataset(
            report.challenger.model,
            tracking_uri=self.tracking_uri,
            candidate=report.challenger.candidate,
        )
        self.lineage = StepLineage(
            inputs=(stored,), outputs=(version_dataset(version, tracking_uri=self.tracking_uri),)
        )
        self.write_card(self.pipeline, version=version, report=report)
        return version


class PromoteOperator(StepOperator):
    """Put a registered version into production and complete its card; XCom: ``Transition``.

    Refuses when the champion has moved since the evaluation.

    Parameters
    ----------
    version
        What ``RegisterOperator`` returned; templated.
    evaluation
        What ``EvaluateOperator`` or ``GateOperator`` returned; templated. ``run_id`` and ``digest`` suffice.
    approval
        What ``ApproveOperator`` returned; templated. A version whose risk is not low is refused without it.
    pipeline
        The declaration as ``"package.module:NAME"``, for the card; without it the card stays as it is.
    """

    template_fields: Sequence[str] = ("version", "evaluation", "approval")
    operator_extra_links = (ModelCardLink(),)

    def __init__(
        self,
        *,
        version: Any,
        evaluation: Any,
        approval: Any = None,
        pipeline: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pipeline = pipeline
        self.version = version
        self.evaluation = evaluation
        self.approval = approval

    def step(self, context: "Context") -> "Transition":
        """Write the transition, then mirror it."""
        from mlops_core.registry.promotion import promote
        from mlops_core.registry.records import VersionRecord

        report = self.read_evaluation(self.evaluation)
        version = VersionRecord.model_validate(self.version)
        transition = promote(
            version,
            report=report,
            approval_key=self.approval["operation_key"] if self.approval else None,
            operation_key=operation_key(effect_key(context), version.version),
            actor=actor(context),
            reason=report.in_a_line(),
            ledger=self.ledger,
            tracking_uri=self.tracking_uri,
        )
        self.write_card(self.pipeline, version=version, report=report)
        return transition


class RollBackOperator(StepOperator):
    """Put the former version of a model back into production; XCom: ``Transition``.

    Parameters
    ----------
    model
        Name of the model; templated.
    reason
        Why, for the ledger; templated.
    leaving
        The version to leave; templated. The operator refuses where another one is in production, so two
        people who roll back at once go back once. Whatever is in production if empty.
    """

    template_fields: Sequence[str] = ("model", "reason", "leaving")

    def __init__(self, *, model: str, reason: str, leaving: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.reason = reason
        self.leaving = leaving

    def step(self, context: "Context") -> "Transition":
        """Write the transition, then mirror it."""
        from mlops_core.registry.promotion import roll_back

        return roll_back(
            self.model,
            operation_key=effect_key(context),
            actor=actor(context),
            reason=self.reason,
            leaving=int(self.leaving) if self.leaving else None,
            ledger=self.ledger,
            tracking_uri=self.tracking_uri,
        )


class ReconcileOperator(StepOperator):
    """Heal MLflow's aliases and report what was changed by hand; XCom: ``ReconcileReport``.

    The heads of the audit trail are then noted in the report store, signed: it runs where promotion does. The
    task fails where the ledger has lost what was noted before.
    """

    def step(self, context: "Context") -> "ReconcileReport":  # noqa: ARG002
        """Compare, heal, report, note."""
        from mlops_core.registry.anchors import note_heads
        from mlops_core.registry.mirror import reconcile

        report = reconcile(ledger=self.ledger, client=self.mlflow_client)
        for change in report.changes:
            self.log.warning("healed: %s", change)
        for unknown in report.unknown_versions:
            self.log.warning("not in the ledger: %s", unknown)
        for missing in report.missing_versions:
            self.log.warning("deleted from MLflow: %s", missing)
        note_heads(self.ledger, reports=self.reports)
        return report
