"""Compare a scored window with the reference profile, decide, and ask for a retraining at most once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_mlops.assets import predictions_asset, retraining_request_asset
from airflow_mlops.links import DriftReportLink, EvidentlyReportLink, MlflowRunLink
from airflow_mlops.operators.step import PipelineOperator, effect_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_core.monitoring.monitor import MonitorReport
    from mlops_core.monitoring.policy import RetrainingDecision
    from mlops_core.scoring.batch import ScoredPartition


class WatchOperator(PipelineOperator):
    """Measure drift and performance of a scored window; XCom: ``MonitorReport``.

    Parameters
    ----------
    scored
        A ``ScoredPartition`` document; templated. By default the one of the asset event that caused the run,
        or, for a run triggered with a partition key, that partition as it was scored last: so a window is
        watched again when its labels are in.
    """

    template_fields: Sequence[str] = ("scored",)
    operator_extra_links = (DriftReportLink(), EvidentlyReportLink(), MlflowRunLink())

    def __init__(self, *, scored: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scored = scored

    def step(self, context: "Context") -> "MonitorReport":
        """Watch the window and store the report beside the version's run."""
        from mlops_core.monitoring.monitor import watch

        scored = self._scored(context)
        report = watch(
            self.declaration,
            scored=scored,
            store=self.snapshots,
            tracking_uri=self.tracking_uri,
            reports=self.reports,
            report_key=effect_key(context),
        )
        self.show_report("drift", report.page)
        if report.evidently is not None:
            self.show_report("evidently", report.evidently)
        self.show_run(scored.version.run_id)
        return report

    def _scored(self, context: "Context") -> "ScoredPartition":
        from mlops_core.scoring.batch import ScoredPartition, find_scored

        events = context["triggering_asset_events"].get(predictions_asset(self.declaration.name))
        if document := self.scored or (events and events[-1].extra):
            return ScoredPartition.model_validate(document)
        partition = context["dag_run"].partition_key
        if partition is None:
            raise AirflowFailException("no window to watch: trigger the run with a partition key")
        return find_scored(self.declaration, partition=partition, store=self.snapshots, ledger=self.ledger)


class DecideRetrainingOperator(PipelineOperator):
    """Apply the retraining policy to a monitor report; XCom: ``RetrainingDecision``, kept in the ledger too.

    Parameters
    ----------
    report
        What ``WatchOperator`` returned; templated.
    """

    template_fields: Sequence[str] = ("report",)
    operator_extra_links = (DriftReportLink(),)

    def __init__(self, *, report: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.report = report

    def step(self, context: "Context") -> "RetrainingDecision":
        """Decide and say why."""
        from mlops_core.monitoring.monitor import MonitorReport
        from mlops_core.monitoring.policy import decide

        report = MonitorReport.model_validate(self.report)
        self.show_report("drift", report.page)
        decision = decide(
            self.declaration,
            report=report,
            ledger=self.ledger,
            store=self.snapshots,
            operation_key=effect_key(context),
            now=context["dag_run"].run_after,
        )
        for reason in decision.reasons:
            self.log.info("%s: %s", decision.answer, reason)
        return decision


class RequestRetrainingOperator(PipelineOperator):
    """Emit the retraining request where the decision asks for it; skipped otherwise.

    Parameters
    ----------
    decision
        What ``DecideRetrainingOperator`` returned; templated.
    """

    template_fields: Sequence[str] = ("decision",)

    def __init__(self, *, decision: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.decision = decision

    def step(self, context: "Context") -> None:
        """Put the decision into the asset event."""
        from mlops_core.monitoring.policy import RetrainingDecision

        decision = RetrainingDecision.model_validate(self.decision)
        if decision.answer != "retrain":
            raise AirflowSkipException(f"{decision.answer}: {'; '.join(decision.reasons)}")
        asset = retraining_request_asset(self.declaration.name)
        if asset in self.outlets:
            context["outlet_events"][asset].extra = decision.model_dump(mode="json")
