"""One model with everything that a decision on it needs."""

from datetime import datetime
from typing import TYPE_CHECKING

from mlops_core.document import Document
from mlops_core.fleet.attention import Attention, attention_of
from mlops_core.fleet.drift import DriftVerdict, drift_of
from mlops_core.fleet.evidence import Evidence, ReadReport, read_evidence
from mlops_core.fleet.timeline import Moment, timeline
from mlops_core.fleet.versions import VersionLine, version_lines
from mlops_core.registry.records import ApprovalRequest, EvaluationRecord
from mlops_core.registry.standing import Standing, roll_back_target, standings

if TYPE_CHECKING:
    from mlops_core.registry.ledger import Ledger

_WINDOWS = 12


class ModelView(Document):
    """One model: its standing, the evidence that is decided on, its versions and its story."""

    standing: Standing
    attention: tuple[Attention, ...]
    evidence: Evidence | None
    roll_back_to: int | None
    windows: tuple[DriftVerdict, ...]
    versions: tuple[VersionLine, ...]
    moments: tuple[Moment, ...]


def read_model(
    ledger: "Ledger",
    model: str,
    *,
    read: ReadReport,
    now: datetime,
    request: ApprovalRequest | None = None,
) -> ModelView | None:
    """Read everything about one model; None if the ledger never saw it.

    Parameters
    ----------
    ledger
        The record.
    model
        Its name.
    read
        Reads the report of an evaluation. What it raises becomes a sentence of the view.
    now
        The present instant.
    request
        The open request to decide on; the one that waits longest if None.
    """
    standing = next(iter(standings(ledger, now=now, model=model)), None)
    if standing is None:
        return None
    if request is not None:
        standing = standing.model_copy(update={"request": request})
    evaluations, history = ledger.evaluations(model, limit=100), ledger.history(model)
    judged = _judged(ledger, standing, evaluations)
    retirements = ledger.retirements(model)
    return ModelView(
        standing=standing,
        attention=attention_of(standing, now=now),
        evidence=None if judged is None else read_evidence(judged, read=read),
        roll_back_to=roll_back_target(ledger, model),
        windows=_windows(ledger, model),
        versions=version_lines(
            ledger.versions(model),
            standing=standing,
            history=history,
            approvals=ledger.approvals(model),
            retirements=retirements,
            evaluations=evaluations,
        ),
        moments=timeline(ledger.events(model), evaluations),
    )


def _windows(ledger: "Ledger", model: str) -> tuple[DriftVerdict, ...]:
    """Return what was found in the last windows, newest first.

    A request for training is in the ledger twice: as the decision of its run, and under a key of the data
    that it asks to train on. The second says nothing new.
    """
    found = ledger.decisions(model, limit=2 * _WINDOWS)
    own = (
        kept for kept in found if kept.decision.get("operation_key", kept.operation_key) == kept.operation_key
    )
    verdicts = (drift_of(record) for record in own)
    return tuple(verdict for verdict in verdicts if verdict is not None)[:_WINDOWS]


def _judged(
    ledger: "Ledger", standing: Standing, evaluations: tuple[EvaluationRecord, ...]
) -> EvaluationRecord | None:
    """Return the evaluation of what waits for approval, else the latest."""
    if standing.request is not None:
        return ledger.evaluation(standing.model, evidence_digest=standing.request.evidence_digest)
    return next(iter(evaluations), None)
