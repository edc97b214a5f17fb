"""Versions taken out of use for good. Every function takes the session of the ledger's transaction."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from mlops_core.errors import DeclarationError, RetirementRefusedError
from mlops_core.registry import events
from mlops_core.registry.cause import Cause
from mlops_core.registry.conditions import top_of
from mlops_core.registry.deployments import deployments
from mlops_core.registry.production import beneath_of
from mlops_core.registry.records import Retirement
from mlops_core.registry.schema import RetirementRow
from mlops_core.registry.versions import find_row, lock


def retire(
    session: Session, model: str, *, version: int, archive: str, archive_digest: str, cause: Cause
) -> Retirement:
    """Take a version out of use, unless it is used or a roll back may return to it."""
    asked = f"retire version {version} of {model!r}"
    cause.require_reason(asked)
    known = lock(session, model)
    first = session.scalars(
        select(RetirementRow).where(RetirementRow.operation_key == cause.operation_key)
    ).one_or_none()
    if first is not None:
        if (first.model, first.version) != (model, version):
            raise DeclarationError(
                f"operation key {cause.operation_key!r} retired version {first.version} of {first.model!r}; "
                f"it cannot {asked} too"
            )
        return _document(first)
    files = find_row(session, model, version)
    reason = _why_not(session, model, version, challenger=None if known is None else known.challenger)
    if reason:
        raise RetirementRefusedError(f"cannot {asked}: {reason}")
    row = RetirementRow(
        model=model,
        version=version,
        archive=archive,
        archive_digest=archive_digest,
        actor=cause.actor,
        reason=cause.reason,
        operation_key=cause.operation_key,
        at=cause.at,
    )
    session.add(row)
    session.flush()
    generation = 0 if known is None else known.generation
    events.append(session, events.of_retirement(row, files, generation=generation))
    return _document(row)


def retirements(session: Session, model: str) -> tuple[Retirement, ...]:
    """Return the model's retirements, the first one first."""
    rows = session.scalars(
        select(RetirementRow)
        .where(RetirementRow.model == model)
        .order_by(RetirementRow.at, RetirementRow.version)
    )
    return tuple(_document(row) for row in rows)


def _why_not(session: Session, model: str, version: int, *, challenger: int | None) -> str:
    """Return why a version must stay, or nothing."""
    past = session.get(RetirementRow, (model, version))
    if past is not None:
        return f"{past.actor!r} retired it at {past.at.isoformat()}; nothing is left to do"
    top = top_of(session, model)
    if top is not None and top.version == version:
        return "it is in production; promote another version or roll back first"
    if any(held.model == model and held.version.version == version for held in deployments(session)):
        return "it is deployed; deploy what is in production first"
    beneath = None if top is None else beneath_of(session, top)
    if beneath is not None and beneath.version == version:
        return "a roll back would return to it; promote another version first"
    if version == challenger:
        return "it is the challenger; register or promote another version first"
    return ""


def _document(row: RetirementRow) -> Retirement:
    return Retirement.model_validate({name: getattr(row, name) for name in Retirement.model_fields})
