"""Every version of a model, and what became of it."""

from collections.abc import Collection, Iterable
from typing import Literal

from mlops_core.document import Document
from mlops_core.registry.records import (
    Approval,
    EvaluationRecord,
    Retirement,
    Transition,
    UtcInstant,
    VersionRecord,
)
from mlops_core.registry.standing import Standing

Status = Literal["production", "waiting", "challenger", "rejected", "former", "registered", "retired"]


class VersionLine(Document):
    """One version, its standing, and when it was first and last put into production."""

    record: VersionRecord
    status: Status
    promoted_at: UtcInstant | None = None
    evaluation: EvaluationRecord | None = None
    retirement: Retirement | None = None


def version_lines(
    versions: Iterable[VersionRecord],
    *,
    standing: Standing,
    history: Iterable[Transition],
    approvals: Iterable[Approval],
    retirements: Iterable[Retirement],
    evaluations: Iterable[EvaluationRecord],
) -> tuple[VersionLine, ...]:
    """Return a line a version, the newest first."""
    promoted = {transition.version: transition.at for transition in history}
    last_words = {approval.version: approval.verdict for approval in approvals}
    rejected = {version for version, verdict in last_words.items() if verdict == "reject"}
    retired = {retirement.version: retirement for retirement in retirements}
    by_digest = {record.evidence_digest: record for record in evaluations}

    def line(record: VersionRecord) -> VersionLine:
        return VersionLine(
            record=record,
            status=_status(
                record.version, standing=standing, promoted=promoted, rejected=rejected, retired=retired
            ),
            promoted_at=promoted.get(record.version),
            evaluation=by_digest.get(record.evidence_digest or ""),
            retirement=retired.get(record.version),
        )

    return tuple(line(record) for record in sorted(versions, key=lambda record: -record.version))


def _status(
    version: int,
    *,
    standing: Standing,
    promoted: Collection[int],
    rejected: Collection[int],
    retired: Collection[int],
) -> Status:
    champion, challenger = standing.state.champion, standing.state.challenger
    if version in retired:
        return "retired"
    if champion is not None and champion.version == version:
        return "production"
    if standing.request is not None and standing.request.version == version:
        return "waiting"
    if version in promoted:
        return "former"
    if version in rejected:
        return "rejected"
    return "challenger" if challenger is not None and challenger.version == version else "registered"
