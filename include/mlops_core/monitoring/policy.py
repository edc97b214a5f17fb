"""The retraining policy: retrain, wait or refuse, and why.

Retraining loops begin where a finding is answered by a training that cannot change it. So a training is asked
for at most once for the same data, one request is open at a time, findings about a version that is no longer
in production count for nothing, and what was decided is read back from the ledger.
"""

import logging
from datetime import datetime

from pydantic import ValidationError

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DeclarationError
from mlops_core.monitoring.decision import Answer, RetrainingDecision
from mlops_core.monitoring.judgement import Circumstances, PastDecision, judge, requested_already
from mlops_core.monitoring.report import MonitorReport
from mlops_core.operation import operation_key as key_of
from mlops_core.pipeline import Pipeline
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import DecisionRecord, in_utc

__all__ = ["Answer", "RetrainingDecision", "decide"]

_REMEMBERED = 1_000
"""Decisions and trainings that are read back."""

log = logging.getLogger(__name__)


def decide(
    pipeline: Pipeline,
    *,
    report: MonitorReport,
    ledger: Ledger,
    store: SnapshotStore,
    operation_key: str,
    now: datetime,
) -> RetrainingDecision:
    """Apply the pipeline's retraining policy to a monitor report, and record the answer.

    Parameters
    ----------
    operation_key
        Of the decision: the same key gives the same answer, whatever happened since.
    now
        With its time zone.

    Returns
    -------
    The decision. Of all that are asked about one snapshot, at most one says retrain.

    Raises
    ------
    DeclarationError
        If the report is of another pipeline, or ``now`` names no time zone.
    LedgerUnavailableError
        If the ledger does not answer.
    """
    if report.pipeline != pipeline.name:
        raise DeclarationError(f"the report is of {report.pipeline!r}, given was {pipeline.name!r}")
    past = _past_decisions(ledger, pipeline.name)
    own = next((one.decision for one in past if one.decision.operation_key == operation_key), None)
    decision = own or _decide(
        pipeline, report=report, ledger=ledger, store=store, past=past, operation_key=operation_key, now=now
    )
    if own is None and decision.answer is Answer.RETRAIN:
        decision = _claim(decision, ledger=ledger)
    recorded = ledger.record_decision(
        pipeline.name,
        operation_key=operation_key,
        window=report.partition,
        decision=decision.model_dump(mode="json"),
    )
    return RetrainingDecision.model_validate(recorded.decision)


def _decide(
    pipeline: Pipeline,
    *,
    report: MonitorReport,
    ledger: Ledger,
    store: SnapshotStore,
    past: tuple[PastDecision, ...],
    operation_key: str,
    now: datetime,
) -> RetrainingDecision:
    try:
        instant = in_utc(now)
    except ValueError as error:
        raise DeclarationError(str(error)) from error
    snapshot = store.current(pipeline.name)
    circumstances = Circumstances(
        champion=ledger.state(pipeline.name).champion,
        snapshot_digest=snapshot.digest,
        partitions=tuple(entry.partition for entry in store.partitions(snapshot)),
        trainings=ledger.trainings(pipeline.name, limit=_REMEMBERED),
        decisions=past,
        now=instant,
    )
    answer, reasons = judge(pipeline.retraining, report=report, circumstances=circumstances)
    return RetrainingDecision(
        pipeline=pipeline.name,
        window=report.partition,
        answer=answer,
        reasons=reasons,
        signals=tuple(sorted(report.signals)),
        version=report.version,
        model_digest=report.model_digest,
        snapshot_digest=snapshot.digest,
        report_digest=report.digest(),
        operation_key=operation_key,
        decided_at=instant,
        page=report.page,
        evidently=report.evidently,
    )


def _claim(decision: RetrainingDecision, *, ledger: Ledger) -> RetrainingDecision:
    """Take the one request of this snapshot, or refuse because another run took it a moment ago.

    The ledger keeps the first decision of an operation key, and this key is the snapshot's.
    """
    first = ledger.record_decision(
        decision.pipeline,
        operation_key=key_of("retraining_request", decision.pipeline, decision.snapshot_digest),
        window=decision.window,
        decision=decision.model_dump(mode="json"),
    )
    holder = RetrainingDecision.model_validate(first.decision)
    if holder.operation_key == decision.operation_key:
        return decision
    return decision.model_copy(
        update={"answer": Answer.REFUSE, "reasons": (*decision.reasons, requested_already(holder))}
    )


def _past_decisions(ledger: Ledger, model: str) -> tuple[PastDecision, ...]:
    parsed = (_parse(record) for record in ledger.decisions(model, limit=_REMEMBERED))
    return tuple(past for past in parsed if past is not None)


def _parse(record: DecisionRecord) -> PastDecision | None:
    try:
        return PastDecision(decision=RetrainingDecision.model_validate(record.decision), at=record.at)
    except ValidationError:
        log.warning(
            "decision %s of the ledger is of another form and counts for nothing", record.operation_key
        )
        return None
