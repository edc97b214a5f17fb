"""The registered versions of each model. Every function takes the session of the ledger's transaction."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from mlops_core.errors import DeclarationError, GateRefusedError
from mlops_core.registry import events
from mlops_core.registry.cause import Cause
from mlops_core.registry.records import VersionRecord
from mlops_core.registry.schema import ModelRow, RetirementRow, VersionRow
from mlops_core.signing import Signature


def record_version(session: Session, record: VersionRecord, *, cause: Cause) -> VersionRecord:
    """Add a version as the challenger, or return the one of the same operation key."""
    row = lock(session, record.model)
    first = version_of(session, cause.operation_key)
    if first is not None:
        # Another number of the same model files is what a lost reply makes; the first number holds, with the
        # signature that it got from the key of that time.
        if first.model_copy(update={"version": record.version, "signature": record.signature}) != record:
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
    added = VersionRow(
        **record.model_dump(), operation_key=cause.operation_key, actor=cause.actor, at=cause.at
    )
    session.add(added)
    session.flush()
    events.append(session, events.of_version(added, generation=row.generation))
    return record


def sign_version(
    session: Session, *, model: str, version: int, signature: Signature, cause: Cause
) -> VersionRecord:
    """Replace the signature of a version, and nothing else of it."""
    asked = f"sign version {version} of {model!r}"
    cause.require_reason(asked)
    lock(session, model)
    row = find_row(session, model, version)
    require_in_use(session, model, version, asked=asked)
    row.signature = signature.model_dump()
    return to_record(row)


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
    return to_record(find_row(session, model, version))


def find_row(session: Session, model: str, version: int) -> VersionRow:
    """Return the row of the version of that number.

    Raises
    ------
    DeclarationError
        If the ledger does not know it.
    """
    row = session.get(VersionRow, (model, version))
    if row is None:
        known = ", ".join(str(record.version) for record in versions_of(session, model)) or "none"
        raise DeclarationError(f"{model!r} has no version {version} in the ledger; versions it has: {known}")
    return row


def require_in_use(session: Session, model: str, version: int, *, asked: str) -> None:
    """Refuse what would use a retired version.

    Raises
    ------
    GateRefusedError
        Saying who retired it, when and why.
    """
    row = session.get(RetirementRow, (model, version))
    if row is not None:
        raise GateRefusedError(
            f"cannot {asked}: {row.actor!r} retired it at {row.at.isoformat()}: {row.reason}. "
            "That is for good; take another version"
        )


def to_record(row: VersionRow) -> VersionRecord:
    """Return the row as a document."""
    return VersionRecord(
        model=row.model,
        version=row.version,
        digest=row.digest,
        uri=row.uri,
        run_id=row.run_id,
        evidence_digest=row.evidence_digest,
        signature=None if row.signature is None else Signature.model_validate(row.signature),
    )


def _describe(record: VersionRecord) -> str:
    return f"version {record.version} of {record.model!r} (digest {record.digest}, run {record.run_id})"
