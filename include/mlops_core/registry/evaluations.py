"""What was declared and how it was judged. Every function takes the session of the ledger's transaction."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mlops_core.errors import DeclarationError
from mlops_core.registry.records import EvaluationRecord, PipelineRecord
from mlops_core.registry.schema import EvaluationRow, PipelineRow


def record_pipeline(session: Session, record: PipelineRecord) -> PipelineRecord:
    """Remember a declaration; a later one of the same name takes its place."""
    session.merge(PipelineRow(**record.model_dump()))
    session.flush()
    return record


def pipelines(session: Session) -> tuple[PipelineRecord, ...]:
    """Return the declared pipelines by name."""
    return tuple(_pipeline(row) for row in session.scalars(select(PipelineRow).order_by(PipelineRow.name)))


def pipeline(session: Session, name: str) -> PipelineRecord | None:
    """Return the declared pipeline of that name."""
    row = session.get(PipelineRow, name)
    return None if row is None else _pipeline(row)


def record_evaluation(session: Session, record: EvaluationRecord) -> EvaluationRecord:
    """Add an evaluation, or return the one of the same operation key and the same evidence.

    Another try that came to other evidence is added: what was judged before stays to be seen.
    """
    past = session.scalars(
        select(EvaluationRow).where(EvaluationRow.operation_key == record.operation_key)
    ).all()
    other = next((row.model for row in past if row.model != record.model), None)
    if other is not None:
        raise DeclarationError(
            f"operation key {record.operation_key!r} evaluated {other!r}; "
            f"it cannot evaluate {record.model!r} too"
        )
    same = next((row for row in past if row.evidence_digest == record.evidence_digest), None)
    if same is not None:
        return _evaluation(same)
    session.add(EvaluationRow(**record.model_dump()))
    session.flush()
    return record


def evaluations(session: Session, model: str, *, limit: int) -> tuple[EvaluationRecord, ...]:
    """Return the latest evaluations, the newest first."""
    rows = session.scalars(
        select(EvaluationRow)
        .where(EvaluationRow.model == model)
        .order_by(EvaluationRow.id.desc())
        .limit(limit)
    )
    return tuple(_evaluation(row) for row in rows)


def evaluation(session: Session, model: str, *, evidence_digest: str) -> EvaluationRecord | None:
    """Return the latest evaluation that came to this evidence, however long ago."""
    row = session.scalars(
        select(EvaluationRow)
        .where(EvaluationRow.model == model, EvaluationRow.evidence_digest == evidence_digest)
        .order_by(EvaluationRow.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _evaluation(row)


def holdout_uses(session: Session, model: str, *, rows_digest: str, operation_key: str) -> int:
    """Count the evaluations of other operation keys on these held-out rows."""
    counted = session.scalar(
        select(func.count(EvaluationRow.id)).where(
            EvaluationRow.model == model,
            EvaluationRow.rows_digest == rows_digest,
            EvaluationRow.operation_key != operation_key,
        )
    )
    return counted or 0


def _pipeline(row: PipelineRow) -> PipelineRecord:
    return PipelineRecord.model_validate({name: getattr(row, name) for name in PipelineRecord.model_fields})


def _evaluation(row: EvaluationRow) -> EvaluationRecord:
    return EvaluationRecord.model_validate(
        {name: getattr(row, name) for name in EvaluationRecord.model_fields}
    )
