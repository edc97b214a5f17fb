"""A ledger with models in every state, and the report on which one of them is judged."""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from mlops_core.data.snapshots import SnapshotIdentity
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.report import (
    CandidateEvaluation,
    ChampionEvaluation,
    Difference,
    EvaluationReport,
    GateVerdict,
    Score,
)
from mlops_core.models.record import ModelRecord
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import (
    ApprovalRequest,
    DecisionRecord,
    EvaluationRecord,
    PipelineRecord,
    Transition,
    VersionRecord,
)
from mlops_core.training.job import SplitIdentity
from registry_examples import Clock, version_record

WAITING, QUIET, NEW = "flight_delay", "digits", "churn"
"""One waits for approval, one is in order, one was only declared."""

HOSTILE = "<script>window.pwned=1</script>"
"""A column's name, as nobody vetted it."""


def report(
    stored: ModelRecord | None = None, *, pipeline: str = WAITING, column: str = HOSTILE, **changes: Any
) -> EvaluationReport:
    """A report that passes against champion 2, with a gate on a slice of a column."""
    stored = stored or ModelRecord(run_id="run-3", model_id="m-3", uri="models:/m-3", digest="digest-3")
    former = ModelRecord(run_id="run-2", model_id="m-2", uri="models:/m-2", digest="digest-2")
    rows = sha256(b"rows").hexdigest()
    fields = {
        "pipeline": pipeline,
        "task": Task.BINARY_CLASSIFICATION,
        "snapshot": SnapshotIdentity(table_uri="/data/x", version=5, digest=sha256(b"data").hexdigest()),
        "split": SplitIdentity(
            training_partitions=("2013-05",),
            holdout_partitions=("2013-06",),
            digest=sha256(b"split").hexdigest(),
        ),
        "holdout_rows": 26_541,
        "dropped_rows": 0,
        "rows_digest": rows,
        "primary_metric": "roc_auc",
        "challenger": CandidateEvaluation(
            candidate="gradient_boosting",
            run_id=stored.run_id,
            model=stored,
            rows_digest=rows,
            scores=(
                Score(metric="roc_auc", value=0.7589, lower=0.7520, upper=0.7654),
                Score(metric="log_loss", value=0.4521, lower=0.4470, upper=0.4575),
                Score(metric="accuracy", value=0.8012, lower=0.7961, upper=0.8060),
            ),
        ),
        "champion": ChampionEvaluation(
            version=2,
            model=former,
            rows_digest=rows,
            scores=(
                Score(metric="roc_auc", value=0.7466, lower=0.7401, upper=0.7530),
                Score(metric="log_loss", value=0.4602, lower=0.4551, upper=0.4655),
                Score(metric="accuracy", value=0.7985, lower=0.7934, upper=0.8033),
            ),
        ),
        "differences": (
            Difference(metric="roc_auc", improvement=0.0123, lower=0.0091, upper=0.0156),
            Difference(metric="log_loss", improvement=0.0081, lower=0.0052, upper=0.0108),
        ),
        "verdicts": (
            _verdict("roc_auc >= 0.65", 0.7589, 0.65, reason="0.7589 reaches 0.65"),
            _verdict(
                "roc_auc against the champion",
                0.0091,
                -0.005,
                reason="the improvement is at least 0.0091 (95 %), above the margin of -0.005",
            ),
            _verdict(
                f"roc_auc >= 0.6 where {column} = EWR",
                0.7312,
                0.6,
                reason=f"the weakest slice is {column} = EWR: 0.7312 reaches 0.6",
            ),
        ),
        "generation": 2,
        "seed": 0,
        "resamples": 500,
        "confidence": 0.95,
        **changes,
    }
    return EvaluationReport.model_validate(fields)


def evaluation_record(
    model: str, clock: Clock, *, digest: str, key: str, passed: bool = True, **changes: Any
) -> EvaluationRecord:
    fields = {
        "model": model,
        "run_id": "run-3",
        "evidence_digest": digest,
        "rows_digest": sha256(b"rows").hexdigest(),
        "candidate": "gradient_boosting",
        "passed": passed,
        "page": f"{model}/evaluation/{key}/report.html",
        "dag_id": f"{model}__train",
        "operation_key": f"{model}/{key}/evaluate",
        "at": clock(),
        **changes,
    }
    return EvaluationRecord.model_validate(fields)


def promoted(ledger: Ledger, clock: Clock, number: int, *, model: str, **changes: Any) -> None:
    """Register, promote and deploy a version, an hour each."""
    record = ledger.record_version(
        version_record(number, model=model, **changes),
        operation_key=f"{model}/{number}/register",
        actor=f"dag:{model}__train",
    )
    clock.forward(hours=1)
    generation = ledger.state(model).generation
    ledger.promote(
        model,
        version=number,
        expected_generation=generation,
        operation_key=f"{model}/{number}/promote",
        evidence_digest=record.evidence_digest or "",
        actor="ada",
        reason="passed all 3 gates",
    )
    ledger.deploy(
        model,
        version=number,
        expected_generation=generation + 1,
        operation_key=f"{model}/{number}/deploy",
        actor=f"dag:{model}__train",
    )


def declared(ledger: Ledger, clock: Clock, name: str, **changes: Any) -> PipelineRecord:
    fields = {
        "name": name,
        "owner": "operations",
        "risk": "medium",
        "description": f"What {name} predicts.",
        "reference": f"{name}.pipeline:PIPELINE",
        "at": clock(),
        **changes,
    }
    return ledger.record_pipeline(PipelineRecord.model_validate(fields))


def request_approval(
    ledger: Ledger, clock: Clock, *, model: str, version: int, evidence: str, **changes: Any
) -> ApprovalRequest:
    fields = {
        "model": model,
        "version": version,
        "generation": ledger.state(model).generation,
        "evidence_digest": evidence,
        "risk": "high",
        "requested_by": "grace",
        "dag_id": f"{model}__train",
        "run_id": "manual__3",
        "task_id": "approve",
        "operation_key": f"{model}/{version}/ask",
        "at": clock(),
        "expires_at": clock() + timedelta(hours=72),
        **changes,
    }
    return ledger.request_approval(ApprovalRequest.model_validate(fields))


def decided(
    ledger: Ledger, model: str, *, window: str, answer: str, signals: tuple[str, ...], **changes: Any
) -> None:
    ledger.record_decision(
        model,
        operation_key=f"{model}/{window}/decide",
        window=window,
        decision={
            "pipeline": model,
            "window": window,
            "answer": answer,
            "reasons": [f"{signal} in {window}" for signal in signals] or [f"nothing was found in {window}"],
            "signals": list(signals),
            "version": 2,
            **changes,
        },
    )


def decision(answer: str, *, signals: tuple[str, ...] = (), at: datetime) -> DecisionRecord:
    """The policy's answer on a window, out of its ledger."""
    return DecisionRecord(
        model=WAITING,
        window="2013-07",
        decision={"answer": answer, "reasons": ["so"], "signals": list(signals), "version": 2},
        operation_key="decide",
        at=at,
    )


def transition(version: VersionRecord, *, at: datetime, kind: str = "promote") -> Transition:
    """A transition to a version, out of its ledger."""
    fields = {
        "id": 1,
        "model": version.model,
        "generation": version.version,
        "kind": kind,
        "version": version.version,
        "previous_version": None,
        "digest": version.digest,
        "evidence_digest": version.evidence_digest,
        "actor": "ada",
        "reason": "better",
        "operation_key": f"promote/{version.version}",
        "at": at,
    }
    return Transition.model_validate(fields)


def populate(ledger: Ledger, clock: Clock) -> EvaluationReport:
    """Fill the ledger; return the report on which version 3 of ``WAITING`` waits for approval."""
    judged = report()
    declared(
        ledger,
        clock,
        WAITING,
        risk="high",
        description="Whether a flight arrives more than 15 minutes late.",
    )
    declared(ledger, clock, NEW, owner="marketing")
    declared(ledger, clock, QUIET, owner="vision", risk="low", description="Which digit an image shows.")
    for number in (1, 2):
        ledger.record_evaluation(
            evaluation_record(WAITING, clock, digest=f"evidence-{number}", key=f"{number}")
        )
        promoted(ledger, clock, number, model=WAITING)
        clock.forward(days=20)
    ledger.record_evaluation(
        evaluation_record(WAITING, clock, digest="evidence-no", key="no", passed=False, candidate="logistic")
    )
    for window, answer, signals in (
        ("2013-05", "wait", ()),
        ("2013-06", "wait", ("data_drift",)),
        ("2013-07", "retrain", ("prediction_drift", "performance")),
    ):
        clock.forward(days=1)
        decided(ledger, WAITING, window=window, answer=answer, signals=signals)
    clock.forward(hours=2)
    ledger.record_training(
        WAITING,
        snapshot_digest="data",
        partitions=("2013-07",),
        operation_key="waiting/train",
        requested_by="grace",
    )
    ledger.record_evaluation(
        evaluation_record(WAITING, clock, digest=judged.digest(), key="3", run_id=judged.challenger.run_id)
    )
    ledger.record_version(
        version_record(3, model=WAITING, evidence_digest=judged.digest(), run_id=judged.challenger.run_id),
        operation_key="waiting/3/register",
        actor=f"dag:{WAITING}__train",
    )
    request_approval(ledger, clock, model=WAITING, version=3, evidence=judged.digest())
    ledger.record_evaluation(
        evaluation_record(QUIET, clock, digest="evidence-1", key="1", candidate="forest")
    )
    promoted(ledger, clock, 1, model=QUIET)
    decided(ledger, QUIET, window="2013-07", answer="wait", signals=())
    clock.forward(hours=5)
    return judged


def _verdict(gate: str, value: float, bound: float, *, reason: str) -> GateVerdict:
    return GateVerdict(
        gate=gate,
        metric="roc_auc",
        kind="absolute",
        passed=value >= bound,
        value=value,
        bound=bound,
        reason=reason,
    )
