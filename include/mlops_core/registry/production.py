"""Which version is in production: a stack of promotions, moved by one compare-and-set a transition.

Promoting puts a version on top, rolling back takes the top away. Every function takes the session of the
ledger's transaction.
"""

from datetime import datetime
from typing import Literal, NoReturn

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from mlops_core.errors import (
    DeclarationError,
    GateRefusedError,
    PromotionConflictError,
    RollbackRefusedError,
)
from mlops_core.registry.cause import Cause
from mlops_core.registry.records import LedgerState, Transition, VersionRecord
from mlops_core.registry.schema import ModelRow, TransitionRow
from mlops_core.registry.versions import find_version, lock


def state_of(session: Session, model: str) -> LedgerState:
    """Return where the model stands."""
    row = session.get(ModelRow, model)
    if row is None:
        return LedgerState(model=model, generation=0, champion=None, challenger=None)
    top = _top(session, model)
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
    cause: Cause,
) -> Transition:
    """Put a version into production if the model's generation is still the expected one."""
    lock(session, model)
    first = _first(session, model, kind="promote", cause=cause)
    if first is not None:
        if first.version != version:
            raise DeclarationError(
                f"operation key {cause.operation_key!r} promoted version {first.version} of {model!r}; "
                f"it cannot promote version {version} too"
            )
        return first
    target = find_version(session, model, version)
    evidence = _require_evidence(target, evidence_digest)
    top = _top(session, model)
    if top is not None and top.version == version:
        raise PromotionConflictError(
            f"version {version} of {model!r} is in production already: {_say(top)}. Nothing is left to do"
        )
    asked = f"promote version {version} of {model!r}"
    _compare_and_set(session, model, expected_generation, top=top, asked=asked)
    session.execute(
        update(ModelRow).where(ModelRow.name == model, ModelRow.challenger == version).values(challenger=None)
    )
    beneath = None if top is None else top.generation
    return _add(session, target, top=top, beneath=beneath, kind="promote", evidence=evidence, cause=cause)


def roll_back(session: Session, model: str, *, expected_generation: int | None, cause: Cause) -> Transition:
    """Put the version before into production again."""
    lock(session, model)
    first = _first(session, model, kind="roll_back", cause=cause)
    if first is not None:
        return first
    top = _top(session, model)
    asked = f"roll back {model!r}"
    if expected_generation is not None:
        require_generation(session, model, expected_generation, asked=asked)
    if top is None:
        raise RollbackRefusedError(f"cannot {asked}: no version of it was ever in production")
    if top.beneath is None:
        raise RollbackRefusedError(
            f"cannot {asked}: there is no version before version {top.version} to return to; "
            "train and promote another one instead"
        )
    beneath = session.scalars(
        select(TransitionRow).where(TransitionRow.model == model, TransitionRow.generation == top.beneath)
    ).one()
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


def require_generation(session: Session, model: str, expected: int, *, asked: str) -> None:
    """Refuse what was decided against another generation.

    Raises
    ------
    PromotionConflictError
        Saying who moved the model, when, and to which version.
    """
    top = _top(session, model)
    if expected != _generation(top):
        _refuse(expected, top=top, asked=asked)


def _top(session: Session, model: str) -> TransitionRow | None:
    return session.scalars(
        select(TransitionRow)
        .where(TransitionRow.model == model)
        .order_by(TransitionRow.generation.desc())
        .limit(1)
    ).first()


def _first(session: Session, model: str, *, kind: str, cause: Cause) -> Transition | None:
    """Return what the operation key did when it was first used."""
    row = session.scalars(
        select(TransitionRow).where(TransitionRow.operation_key == cause.operation_key)
    ).one_or_none()
    if row is None:
        return None
    if (row.model, row.kind) != (model, kind):
        raise DeclarationError(
            f"operation key {cause.operation_key!r} did {row.kind} {row.model!r}; "
            f"it cannot {kind} {model!r} too"
        )
    return _document(row)


def _require_evidence(target: VersionRecord, evidence_digest: str) -> str:
    named = f"version {target.version} of {target.model!r}"
    if target.evidence_digest is None:
        raise GateRefusedError(f"{named} has no evaluation report that passed; evaluate it, then register it")
    if target.evidence_digest != evidence_digest:
        raise GateRefusedError(
            f"{named} was registered with the evaluation report {target.evidence_digest}, and not with "
            f"{evidence_digest or 'none'}; decide on the registered report"
        )
    return target.evidence_digest


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
        _refuse(expected, top=top, asked=asked)


def _refuse(expected: int, *, top: TransitionRow | None, asked: str) -> NoReturn:
    present = "no version was ever in production" if top is None else _say(top)
    raise PromotionConflictError(
        f"cannot {asked}: expected generation {expected}, but the ledger is at generation "
        f"{_generation(top)}: {present}. Decide again against what is in production now"
    )


def _add(
    session: Session,
    target: VersionRecord,
    *,
    top: TransitionRow | None,
    beneath: int | None,
    kind: Literal["promote", "roll_back"],
    evidence: str,
    cause: Cause,
) -> Transition:
    row = TransitionRow(
        model=target.model,
        generation=_generation(top) + 1,
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
    return _document(row)


def _document(row: TransitionRow) -> Transition:
    fields = {name: getattr(row, name) for name in Transition.model_fields}
    return Transition.model_validate(fields)


def _generation(top: TransitionRow | None) -> int:
    return 0 if top is None else top.generation


def _say(row: TransitionRow) -> str:
    verb = "promoted" if row.kind == "promote" else "rolled back to"
    return f"{row.actor!r} {verb} version {row.version} at {row.at.isoformat()}"
