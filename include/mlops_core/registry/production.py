"""Which version is in production: a stack of promotions, moved by one compare-and-set a transition.

Promoting puts a version on top, rolling back takes the top away. Every function takes the session of the
ledger's transaction.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mlops_core.errors import (
    DeclarationError,
    PromotionConflictError,
    RollbackRefusedError,
    UntrustedModelError,
)
from mlops_core.registry import events
from mlops_core.registry.approvals import require_approval, require_not_rejected, require_unrejected
from mlops_core.registry.cause import Cause
from mlops_core.registry.conditions import (
    DONE,
    Kind,
    generation_of,
    refuse,
    require_evidence,
    require_generation,
    say,
    top_of,
)
from mlops_core.registry.records import LedgerState, Transition, VersionRecord
from mlops_core.registry.schema import ModelRow, RetirementRow, TransitionRow
from mlops_core.registry.versions import find_version, lock, require_in_use

NO_EVIDENCE = "none"
"""Stands in the transition of a version that was adopted without an evaluation report."""


def state_of(session: Session, model: str) -> LedgerState:
    """Return where the model stands."""
    row = session.get(ModelRow, model)
    if row is None:
        return LedgerState(model=model, generation=0, champion=None, challenger=None)
    top = top_of(session, model)
    return LedgerState(
        model=model,
        generation=row.generation,
        champion=None if top is None else find_version(session, model, top.version),
        challenger=None if row.challenger is None else find_version(session, model, row.challenger),
    )


def promote(
    session: Session,
    model: str,
    *,
    version: int,
    expected_generation: int,
    evidence_digest: str,
    approval_key: str | None,
    cause: Cause,
) -> Transition:
    """Put a version into production if the model's generation is still the expected one."""
    lock(session, model)
    first = _first(session, model, kind="promote", version=version, cause=cause)
    if first is not None:
        return first
    target = find_version(session, model, version)
    evidence = require_evidence(target, evidence_digest)
    # Who comes late is told who came first, and not that the approval was of another generation.
    _require_move(session, target, expected_generation, asked=f"promote version {version} of {model!r}")
    subject: dict[str, Any] = {
        "version": version,
        "generation": expected_generation,
        "evidence_digest": evidence,
    }
    if approval_key is None:
        require_unrejected(session, model, **subject)
    else:
        approval = require_approval(session, model, **subject, approval_key=approval_key)
        cause = cause.approved(by=approval.actor, reason=approval.reason)
    return _push(session, target, expected_generation, kind="promote", evidence=evidence, cause=cause)


def adopt(
    session: Session, model: str, *, version: int, expected_generation: int, cause: Cause
) -> Transition:
    """Put a version into production because somebody did so by hand, outside the ledger."""
    asked = f"adopt version {version} of {model!r}"
    cause.require_reason(asked)
    lock(session, model)
    first = _first(session, model, kind="adopt", version=version, cause=cause)
    if first is not None:
        return first
    target = find_version(session, model, version)
    if target.signature is None:
        raise UntrustedModelError(
            f"cannot {asked}: it is not signed, so no server would load it; see `mlops keys sign`"
        )
    _require_move(session, target, expected_generation, asked=asked)
    require_not_rejected(session, model, version=version, asked=asked)
    evidence = target.evidence_digest or NO_EVIDENCE
    return _push(session, target, expected_generation, kind="adopt", evidence=evidence, cause=cause)


def roll_back(session: Session, model: str, *, expected_generation: int | None, cause: Cause) -> Transition:
    """Put the version before into production again."""
    lock(session, model)
    first = _first(session, model, kind="roll_back", version=None, cause=cause)
    if first is not None:
        return first
    top = top_of(session, model)
    asked = f"roll back {model!r}"
    if expected_generation is not None:
        require_generation(session, model, expected_generation, asked=asked)
    if top is None:
        raise RollbackRefusedError(f"cannot {asked}: no version of it was ever in production")
    beneath = beneath_of(session, top)
    if beneath is None:
        raise RollbackRefusedError(
            f"cannot {asked}: there is no version before version {top.version} to return to; "
            "train and promote another one instead"
        )
    _compare_and_set(session, model, top.generation, top=top, asked=asked)
    return _add(
        session,
        find_version(session, model, beneath.version),
        top=top,
        beneath=beneath.beneath,
        kind="roll_back",
        evidence=beneath.evidence_digest,
        cause=cause,
    )


def in_production(session: Session, model: str, *, at: datetime) -> VersionRecord | None:
    """Return the version that was in production at an instant."""
    row = session.scalars(
        select(TransitionRow)
        .where(TransitionRow.model == model, TransitionRow.at <= at)
        .order_by(TransitionRow.generation.desc())
        .limit(1)
    ).first()
    return None if row is None else find_version(session, model, row.version)


def history(session: Session, model: str) -> tuple[Transition, ...]:
    """Return the model's transitions, the first one first."""
    rows = session.scalars(
        select(TransitionRow).where(TransitionRow.model == model).order_by(TransitionRow.generation)
    )
    return tuple(_document(row) for row in rows)


def transition_of(session: Session, operation_key: str) -> Transition | None:
    """Return the transition that an operation key made, of whatever model and kind."""
    row = session.scalars(
        select(TransitionRow).where(TransitionRow.operation_key == operation_key)
    ).one_or_none()
    return None if row is None else _document(row)


def beneath_of(session: Session, top: TransitionRow) -> TransitionRow | None:
    """Return the transition that a roll back returns to; retired versions are passed by."""
    row = top
    while row.beneath is not None:
        row = session.scalars(
            select(TransitionRow).where(
                TransitionRow.model == top.model, TransitionRow.generation == row.beneath
            )
        ).one()
        if row.version != top.version and session.get(RetirementRow, (row.model, row.version)) is None:
            return row
    return None


def _require_move(session: Session, target: VersionRecord, expected_generation: int, *, asked: str) -> None:
    """Refuse a version that is retired or in production already, and what was decided too early."""
    require_in_use(session, target.model, target.version, asked=asked)
    top = top_of(session, target.model)
    if top is not None and top.version == target.version:
        raise PromotionConflictError(
            f"version {target.version} of {target.model!r} is in production already: {say(top)}. "
            "Nothing is left to do"
        )
    require_generation(session, target.model, expected_generation, asked=asked)


def _push(
    session: Session, target: VersionRecord, expected: int, *, kind: Kind, evidence: str, cause: Cause
) -> Transition:
    """Put a version on top of the stack; it is the challenger no longer."""
    model, top = target.model, top_of(session, target.model)
    asked = f"{kind} version {target.version} of {model!r}"
    _compare_and_set(session, model, expected, top=top, asked=asked)
    own = ModelRow.challenger == target.version
    session.execute(update(ModelRow).where(ModelRow.name == model, own).values(challenger=None))
    beneath = None if top is None else top.generation
    return _add(session, target, top=top, beneath=beneath, kind=kind, evidence=evidence, cause=cause)


def _first(
    session: Session, model: str, *, kind: Kind, version: int | None, cause: Cause
) -> Transition | None:
    """Return what the operation key did when it was first used."""
    past = transition_of(session, cause.operation_key)
    if past is None:
        return None
    if (past.model, past.kind) != (model, kind):
        raise DeclarationError(
            f"operation key {cause.operation_key!r} did {past.kind} {past.model!r}; "
            f"it cannot {kind} {model!r} too"
        )
    if version is not None and past.version != version:
        raise DeclarationError(
            f"operation key {cause.operation_key!r} {DONE[past.kind]} version {past.version} of {model!r}; "
            f"it cannot {kind} version {version} too"
        )
    return past


def _compare_and_set(
    session: Session, model: str, expected: int, *, top: TransitionRow | None, asked: str
) -> None:
    moved = session.scalar(
        update(ModelRow)
        .where(ModelRow.name == model, ModelRow.generation == expected)
        .values(generation=expected + 1, mirrored=False)
        .returning(ModelRow.generation)
    )
    if moved is None:
        refuse(expected, top=top, asked=asked)


def _add(
    session: Session,
    target: VersionRecord,
    *,
    top: TransitionRow | None,
    beneath: int | None,
    kind: Kind,
    evidence: str,
    cause: Cause,
) -> Transition:
    row = TransitionRow(
        model=target.model,
        generation=generation_of(top) + 1,
        kind=kind,
        version=target.version,
        previous_version=None if top is None else top.version,
        beneath=beneath,
        digest=target.digest,
        evidence_digest=evidence,
        actor=cause.actor,
        reason=cause.reason,
        operation_key=cause.operation_key,
        # Clocks of two machines differ; "what was in production then" needs instants in order of generation.
        at=cause.at if top is None else max(cause.at, top.at),
    )
    session.add(row)
    session.flush()
    events.append(session, events.of_transition(row))
    return _document(row)


def _document(row: TransitionRow) -> Transition:
    fields = {name: getattr(row, name) for name in Transition.model_fields}
    return Transition.model_validate(fields)
