"""The audit trail: one event a row that decides something, written in the row's own transaction.

What an event must say is derived from its row by the functions ``of_*``, which the audit uses as well. Those
that take ``generation`` do so because the row itself does not hold the ledger's generation at that moment.
"""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mlops_core.registry import chain
from mlops_core.registry.records import LedgerEvent
from mlops_core.registry.schema import (
    ApprovalRow,
    DeploymentRow,
    EventRow,
    RetirementRow,
    TransitionRow,
    VersionRow,
)

Said = dict[str, Any]
"""An event's fields, without its place in the chain."""

_CHAIN = ("sequence", "former_hash", "hash")


def append(session: Session, said: Said) -> None:
    """Add an event to its model's chain. The transaction must hold the lock on the model's row."""
    last = session.scalars(
        select(EventRow).where(EventRow.model == said["model"]).order_by(EventRow.sequence.desc()).limit(1)
    ).first()
    content = {
        **said,
        "sequence": 1 if last is None else last.sequence + 1,
        "former_hash": chain.genesis(said["model"]) if last is None else last.hash,
    }
    session.add(EventRow(**content, hash=chain.seal(content)))
    session.flush()


def events(session: Session, model: str | None) -> tuple[LedgerEvent, ...]:
    """Return the events of one model in the order of its chain, or all in the order of writing."""
    query = select(EventRow).order_by(EventRow.id)
    if model is not None:
        query = select(EventRow).where(EventRow.model == model).order_by(EventRow.sequence)
    return tuple(to_event(row) for row in session.scalars(query))


def heads(session: Session) -> dict[str, tuple[int, str]]:
    """Return the sequence and the hash of each model's last event."""
    last = select(EventRow.model, func.max(EventRow.sequence).label("sequence")).group_by(EventRow.model)
    latest = last.subquery()
    holds = (EventRow.model == latest.c.model) & (EventRow.sequence == latest.c.sequence)
    rows = session.scalars(select(EventRow).join(latest, holds).order_by(EventRow.model))
    return {row.model: (row.sequence, row.hash) for row in rows}


def is_there(session: Session, model: str, head: tuple[int, str]) -> bool:
    """Return whether a model's chain has an event of this sequence and this hash."""
    sequence, sealed_as = head
    which = (EventRow.model == model) & (EventRow.sequence == sequence) & (EventRow.hash == sealed_as)
    return session.scalars(select(EventRow.id).where(which)).first() is not None


def to_event(row: EventRow) -> LedgerEvent:
    """Return the row as a document, without asking whether it can be true."""
    return LedgerEvent.model_construct(**{name: getattr(row, name) for name in LedgerEvent.model_fields})


def said_by(event: LedgerEvent) -> Said:
    """Return what the event says, without its place in the chain."""
    return {name: getattr(event, name) for name in LedgerEvent.model_fields if name not in _CHAIN}


def sealed(event: LedgerEvent) -> str:
    """Return the hash that the event should have."""
    return chain.seal({name: getattr(event, name) for name in LedgerEvent.model_fields if name != "hash"})


def of_version(row: VersionRow, *, generation: int) -> Said:
    """Return what the event of a registration says."""
    reason = chain.registered_as(run_id=row.run_id, uri=row.uri)
    return _said(row, row, kind="register", generation=generation, reason=reason)


def of_transition(row: TransitionRow) -> Said:
    """Return what the event of a transition says."""
    return _said(row, row, kind=row.kind, generation=row.generation, reason=row.reason) | {
        "evidence_digest": row.evidence_digest
    }


def of_approval(row: ApprovalRow, version: VersionRow, *, generation: int) -> Said:
    """Return what the event of a decision for or against a promotion says."""
    reason = row.reason
    if row.verdict == "reject":
        # It counts against any later promotion of the same subject, so its subject must be whole.
        reason = f"{reason}; judged against generation {row.generation}"
    said = _said(row, version, kind=row.verdict, generation=generation, reason=reason)
    return said | {"evidence_digest": row.evidence_digest}


def of_retirement(row: RetirementRow, version: VersionRow, *, generation: int) -> Said:
    """Return what the event of a retirement says."""
    kept = f"archived at {row.archive}, digest {row.archive_digest}" if row.archive else "nothing archived"
    return _said(row, version, kind="retire", generation=generation, reason=f"{row.reason}; {kept}")


def of_deployment(row: DeploymentRow, version: VersionRow) -> Said:
    """Return what the event of a deployment says."""
    reason = chain.deployed_as(share=row.share, revision=row.revision)
    return _said(row, version, kind="deploy", generation=row.generation, reason=reason)


def _said(
    row: VersionRow | TransitionRow | ApprovalRow | RetirementRow | DeploymentRow,
    files: VersionRow | TransitionRow,
    *,
    kind: str,
    generation: int,
    reason: str,
) -> Said:
    return {
        "model": row.model,
        "kind": kind,
        "version": row.version,
        "generation": generation,
        "digest": files.digest,
        "evidence_digest": files.evidence_digest,
        "actor": row.actor,
        "reason": reason,
        "operation_key": row.operation_key,
        "at": row.at,
    }
