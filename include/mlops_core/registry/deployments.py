"""Which version the model server must serve. Every function takes the session of the ledger's transaction."""

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from mlops_core.errors import DeclarationError, PromotionConflictError
from mlops_core.registry import events
from mlops_core.registry.cause import Cause
from mlops_core.registry.conditions import require_generation
from mlops_core.registry.production import state_of
from mlops_core.registry.records import Deployment, VersionRecord
from mlops_core.registry.schema import DeploymentRow, VersionRow
from mlops_core.registry.versions import find_row, lock, to_record


def deploy(
    session: Session, model: str, *, version: int, expected_generation: int, cause: Cause
) -> Deployment:
    """Give all of the model's traffic to the version that is in production."""
    lock(session, model)
    first = _first(session, cause.operation_key)
    if first is not None:
        if (first.model, first.version.version) != (model, version):
            raise DeclarationError(
                f"operation key {cause.operation_key!r} deployed version {first.version.version} of "
                f"{first.model!r}; it cannot deploy version {version} of {model!r} too"
            )
        return first
    asked = f"deploy version {version} of {model!r}"
    require_generation(session, model, expected_generation, asked=asked)
    champion = state_of(session, model).champion
    if champion is None or champion.version != version:
        present = "no version" if champion is None else f"version {champion.version}"
        raise PromotionConflictError(f"cannot {asked}: {present} is in production; promote it first")
    row = DeploymentRow(
        model=model,
        version=version,
        share=1.0,
        generation=expected_generation,
        revision=1 + (session.scalar(_latest_revision(model)) or 0),
        operation_key=cause.operation_key,
        actor=cause.actor,
        at=cause.at,
    )
    session.add(row)
    session.flush()
    events.append(session, events.of_deployment(row, find_row(session, model, version)))
    return _document(row, champion)


def deployments(session: Session) -> tuple[Deployment, ...]:
    """Return the deployments that hold now, by model."""
    latest = (
        select(DeploymentRow.model, func.max(DeploymentRow.revision).label("revision"))
        .group_by(DeploymentRow.model)
        .subquery()
    )
    holds = (DeploymentRow.model == latest.c.model) & (DeploymentRow.revision == latest.c.revision)
    rows = session.execute(
        _with_version().join(latest, holds).order_by(DeploymentRow.model, DeploymentRow.version)
    )
    return tuple(_document(deployment, to_record(version)) for deployment, version in rows)


def _first(session: Session, operation_key: str) -> Deployment | None:
    row = session.execute(_with_version().where(DeploymentRow.operation_key == operation_key)).one_or_none()
    return None if row is None else _document(row[0], to_record(row[1]))


def _latest_revision(model: str) -> Select[int]:
    return select(func.max(DeploymentRow.revision)).where(DeploymentRow.model == model)


def _with_version() -> Select[DeploymentRow, VersionRow]:
    return select(DeploymentRow, VersionRow).join(
        VersionRow,
        (VersionRow.model == DeploymentRow.model) & (VersionRow.version == DeploymentRow.version),
    )


def _document(row: DeploymentRow, version: VersionRecord) -> Deployment:
    return Deployment(
        model=row.model,
        version=version,
        share=row.share,
        generation=row.generation,
        revision=row.revision,
        operation_key=row.operation_key,
        actor=row.actor,
        at=row.at,
    )
