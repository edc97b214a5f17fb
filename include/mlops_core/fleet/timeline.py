"""Every decision on a model, newest first, in words."""

from collections.abc import Iterable, Mapping
from typing import Literal

from mlops_core.document import Document
from mlops_core.registry.records import EvaluationRecord, LedgerEvent, UtcInstant

_SAID: Mapping[str, str] = {
    "register": "Version {version} registered",
    "approve": "Version {version} approved",
    "reject": "Version {version} rejected",
    "promote": "Version {version} put into production",
    "roll_back": "Rolled back to version {version}",
    "adopt": "Version {version} adopted past the gates",
    "retire": "Version {version} retired",
    "deploy": "Version {version} deployed",
}
_TONES: Mapping[str, Literal["good", "bad", "plain"]] = {
    "approve": "good",
    "promote": "good",
    "reject": "bad",
    "roll_back": "bad",
}


class Moment(Document):
    """One decision: when, what, who, why, and on which evidence.

    ``hash`` is the ledger's over this entry and all before it; an evaluation has none.
    """

    at: UtcInstant
    kind: str
    said: str
    tone: Literal["good", "bad", "plain"]
    actor: str
    reason: str
    evidence_digest: str | None
    evaluation: EvaluationRecord | None
    hash: str | None = None


def timeline(events: Iterable[LedgerEvent], evaluations: Iterable[EvaluationRecord]) -> tuple[Moment, ...]:
    """Return the ledger's events and the evaluations as one story, newest first."""
    evaluations = tuple(evaluations)
    by_digest = {record.evidence_digest: record for record in evaluations}
    moments = [_of_evaluation(record) for record in reversed(evaluations)]
    moments += [_of_event(event, by_digest) for event in events]
    # Sorting is stable, so of one instant what was written last comes first too.
    moments.reverse()
    return tuple(sorted(moments, key=lambda moment: moment.at, reverse=True))


def _of_event(event: LedgerEvent, by_digest: Mapping[str, EvaluationRecord]) -> Moment:
    return Moment(
        at=event.at,
        kind=event.kind,
        said=_SAID[event.kind].format(version=event.version),
        tone=_TONES.get(event.kind, "plain"),
        actor=event.actor,
        reason=event.reason,
        evidence_digest=event.evidence_digest,
        evaluation=by_digest.get(event.evidence_digest or ""),
        hash=event.hash,
    )


def _of_evaluation(record: EvaluationRecord) -> Moment:
    verdict = "passed the gates" if record.passed else "was refused by the gates"
    return Moment(
        at=record.at,
        kind="evaluate",
        said=f"Candidate {record.candidate} {verdict}",
        tone="good" if record.passed else "bad",
        actor=f"dag:{record.dag_id}",
        reason="",
        evidence_digest=record.evidence_digest,
        evaluation=record,
    )
