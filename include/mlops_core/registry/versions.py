"""The registered versions of each model. Every function takes the session of the ledger's transaction."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from mlops_core.errors import DeclarationError
from mlops_core.registry.cause import Cause
from mlops_core.registry.records import VersionRecord
from mlops_core.registry.schema import ModelRow, VersionRow


def record_version(session: Session, record: VersionRecord, *, cause: Cause) -> VersionRecord:
    """Add a version as the challenger, or return the one of the same operation key."""
    row = lock(session, record.model)
    first = version_of(session, cause.operation_key)
    if first is not None:
        # Another number of the same model files is what a lost reply makes; the first number holds.
        if first.model_copy(update={"version": record.version}) != record:
            raise DeclarationError(
                f"operation key {cause.operation_key!r} registered {_describe(first)}; "
                f"it cannot register {_describe(record)} too"
            )
        return first
    if session.get(VersionRow, (record.model, record.version)) is not None:
        raise DeclarationError(
            f"version {record.version} of {record.model!r} is in the ledger already, "
            "recorded under another operation key"
        )
    if row is None:
        row = ModelRow(name=record.model, generation=0)
        session.add(row)
        session.flush()
    row.challenger = record.version
    row.mirrored = False
    session.add(
        VersionRow(**record.model_dump(), operation_key=cause.operation_key, actor=cause.actor, at=cause.at)
    )
    session.flush()
    return record


def lock(session: Session, model: str) -> ModelRow | None:
    """Return the model's row, locked until the transaction ends."""
    # SQLite has no row locks and ignores this: there the whole transaction holds the write lock.
    return session.scalars(select(ModelRow).where(ModelRow.name == model).with_for_update()).one_or_none()


def versions_of(session: Session, model: str) -> tuple[VersionRecord, ...]:
    """Return the model's registered versions by number."""
    rows = session.scalars(select(VersionRow).where(VersionRow.model == model).order_by(VersionRow.version))
    return tuple(to_record(row) for row in rows)


def version_of(session: Session, operation_key: str) -> VersionRecord | None:
    """Return the version that an operation key registered."""
    row = session.scalars(select(VersionRow).where(VersionRow.operation_key == operation_key)).one_or_none()
    return None if row is None else to_record(row)


def find_version(session: Session, model: str, version: int) -> VersionRecord:
    """Return the version of that number.

    Raises
    ------
    DeclarationError
        If the ledger does not know it.
    """
    row = session.get(VersionRow, (model, version))
    if row is None:
        known = ", ".join(str(record.version) for record in versions_of(session, model)) or "none"
        raise DeclarationError(f"{model!r} has no version {version} in the ledger; versions it has: {known}")
    return to_record(row)


def to_record(row: VersionRow) -> VersionRecord:
    """Return the row as a document."""
    return VersionRecord(
        model=row.model,
        version=row.version,
        digest=row.digest,
        uri=row.uri,
        run_id=row.run_id,
        evidence_digest=row.evidence_digest,
    )


def _describe(record: VersionRecord) -> str:
    return f"version {record.version} of {record.model!r} (digest {record.digest}, run {record.run_id})"
