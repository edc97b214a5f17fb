"""Versions taken out of use for good. Every function takes the session of the ledger's transaction."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from mlops_core.errors import DeclarationError, RetirementRefusedError
from mlops_core.registry import events
from mlops_core.registry.approvals import open_requests
from mlops_core.registry.cause import Cause
from mlops_core.registry.conditions import top_of
from mlops_core.registry.deployments import deployments
from mlops_core.registry.production import beneath_of
from mlops_core.registry.records import Retirement
from mlops_core.registry.schema import ModelRow, RetirementRow
from mlops_core.registry.versions import find_row, lock


def retire(
    session: Session, model: str, *, version: int, archive: str, archive_digest: str, cause: Cause
) -> Retirement:
    """Take a version out of use, unless it is used or the next roll back would return to it."""
    asked = f"retire version {version} of {model!r}"
    cause.require_reason(asked)
    known = lock(session, model)
    first = retirement_of(session, cause.operation_key)
    if first is not None:
        if (first.model, first.version) != (model, version):
            raise DeclarationError(
                f"operation key {cause.operation_key!r} retired version {first.version} of {first.model!r}; "
                f"it cannot {asked} too"
            )
        return first
    files = find_row(session, model, version)
    reason = next(obstacles(session, model, version, now=cause.at), None)
    if reason is not None:
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


def retirement_of(session: Session, operation_key: str) -> Retirement | None:
    """Return the retirement that an operation key made, of whatever version."""
    row = session.scalars(
        select(RetirementRow).where(RetirementRow.operation_key == operation_key)
    ).one_or_none()
    return None if row is None else _document(row)


def obstacles(session: Session, model: str, version: int, *, now: datetime) -> Iterator[str]:
    """Yield in words everything for which a version must stay in use, each with its way out.

    Parameters
    ----------
    now
        The present instant: a request for approval expires.
    """
    past = session.get(RetirementRow, (model, version))
    if past is not None:
        yield f"{past.actor!r} retired it at {past.at.isoformat()}; nothing is left to do"
    top = top_of(session, model)
    beneath = None if top is None else beneath_of(session, top)
    if top is not None and top.version == version:
        yield "it is in production; promote another version or roll back first"
    elif beneath is not None and beneath.version == version:
        yield "a roll back would return to it; promote another version first"
    known = session.get(ModelRow, model)
    if known is not None and known.challenger == version:
        yield "it is the challenger; promote it, or register another version"
    if any((held.model, held.version.version) == (model, version) for held in deployments(session)):
        yield "the model server serves it; deploy the version in production first"
    for request in open_requests(session, model, now=now):
        if request.version == version:
            # The ledger does not see that a task ends without an answer that counts.
            yield (
                f"its approval is asked for by {request.dag_id} {request.run_id}; answer that first. If the "
                f"task {request.task_id} of that run has ended, clear it to be asked again, or wait until "
                f"{request.expires_at.isoformat()}"
            )


def _document(row: RetirementRow) -> Retirement:
    return Retirement.model_validate({name: getattr(row, name) for name in Retirement.model_fields})
