"""What the retraining policy remembers: its trainings and decisions.

Every function takes the session of the ledger's transaction.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from mlops_core.registry.records import DecisionRecord, TrainingRecord
from mlops_core.registry.schema import DecisionRow, TrainingRow


def record_training(session: Session, record: TrainingRecord) -> TrainingRecord:
    """Add an attempted training, or return the one of the same operation key."""
    first = session.scalars(
        select(TrainingRow).where(TrainingRow.operation_key == record.operation_key)
    ).one_or_none()
    if first is not None:
        return _training(first)
    session.add(TrainingRow(**{**record.model_dump(), "partitions": list(record.partitions)}))
    session.flush()
    return record


def trainings(session: Session, model: str, *, limit: int) -> tuple[TrainingRecord, ...]:
    """Return the latest trainings, the newest first."""
    rows = session.scalars(
        select(TrainingRow).where(TrainingRow.model == model).order_by(TrainingRow.id.desc()).limit(limit)
    )
    return tuple(_training(row) for row in rows)


def record_decision(session: Session, record: DecisionRecord) -> DecisionRecord:
    """Add a decision, or return the one of the same operation key."""
    first = session.scalars(
        select(DecisionRow).where(DecisionRow.operation_key == record.operation_key)
    ).one_or_none()
    if first is not None:
        return _decision(first)
    session.add(DecisionRow(**record.model_dump()))
    session.flush()
    return record


def decisions(session: Session, model: str, *, limit: int) -> tuple[DecisionRecord, ...]:
    """Return the latest decisions, the newest first."""
    rows = session.scalars(
        select(DecisionRow).where(DecisionRow.model == model).order_by(DecisionRow.id.desc()).limit(limit)
    )
    return tuple(_decision(row) for row in rows)


def _training(row: TrainingRow) -> TrainingRecord:
    return TrainingRecord(
        model=row.model,
        snapshot_digest=row.snapshot_digest,
        partitions=tuple(row.partitions),
        operation_key=row.operation_key,
        requested_by=row.requested_by,
        at=row.at,
    )


def _decision(row: DecisionRow) -> DecisionRecord:
    return DecisionRecord(
        model=row.model,
        window=row.window,
        decision=row.decision,
        operation_key=row.operation_key,
        at=row.at,
    )
