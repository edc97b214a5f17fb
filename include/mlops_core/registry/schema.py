"""The ledger's tables.

Rows are only added; a model's generation, a pipeline's description and a version's signature change.
"""

from datetime import UTC, datetime
from typing import Any

from pydantic import JsonValue
from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import String, TypeDecorator

from mlops_core.registry.records import LONGEST_OPERATION_KEY, in_utc

REVISIONS = ("0001", "0002")
"""What the migrations lead through; the last one is what this code reads and writes."""
VERSION_TABLE = "ledger_alembic_version"


class UtcDateTime(TypeDecorator[datetime]):
    """An instant in UTC on databases that keep time zones and on those that do not (SQLite)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Refuse an instant without a time zone; SQLite would keep it as if it were UTC."""
        return None if value is None else in_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Say UTC where the database dropped it."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The tables' common prefix keeps them apart in a database that Airflow or MLflow also uses."""

    type_annotation_map = {  # noqa: RUF012  SQLAlchemy declares it so
        datetime: UtcDateTime,
        dict[str, JsonValue]: JSON,
        dict[str, str]: JSON,
        list[str]: JSON,
    }


class ModelRow(Base):
    """One model. ``generation`` is what a transition compares and sets.

    ``mirrored`` says that MLflow's aliases were confirmed since the ledger last moved: if they differ then,
    somebody changed them.
    """

    __tablename__ = "ledger_models"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    generation: Mapped[int] = mapped_column(default=0)
    challenger: Mapped[int | None]
    mirrored: Mapped[bool] = mapped_column(default=False)


class VersionRow(Base):
    """One registered version."""

    __tablename__ = "ledger_versions"

    model: Mapped[str] = mapped_column(ForeignKey("ledger_models.name"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[str]
    uri: Mapped[str]
    run_id: Mapped[str]
    evidence_digest: Mapped[str | None]
    # Without ``none_as_null`` an absent signature would be JSON's null, which SQL takes for a value.
    signature: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))
    operation_key: Mapped[str] = mapped_column(String(LONGEST_OPERATION_KEY), unique=True)
    actor: Mapped[str]
    at: Mapped[datetime]


def _to_version() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["model", "version"], ["ledger_versions.model", "ledger_versions.version"])


class TransitionRow(Base):
    """One transition. ``beneath`` is the generation that a roll back from this one returns to."""

    __tablename__ = "ledger_transitions"
    __table_args__: Any = (UniqueConstraint("model", "generation"), _to_version())

    id: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(String(63))
    generation: Mapped[int]
    kind: Mapped[str] = mapped_column(String(16))
    version: Mapped[int]
    previous_version: Mapped[int | None]
    beneath: Mapped[int | None]
    digest: Mapped[str]
    evidence_digest: Mapped[str]
    actor: Mapped[str]
    reason: Mapped[str]
    operation_key: Mapped[str] = mapped_column(String(LONGEST_OPERATION_KEY), unique=True)
    at: Mapped[datetime]


class DeploymentRow(Base):
    """One deployment. The greatest revision of a model is the one that holds."""

    __tablename__ = "ledger_deployments"
    # A revision may come to hold several versions, each with its share of the traffic.
    __table_args__: Any = (UniqueConstraint("model", "revision", "version"), _to_version())

    id: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(String(63))
    version: Mapped[int]
    share: Mapped[float]
    generation: Mapped[int]
    revision: Mapped[int]
    operation_key: Mapped[str] = mapped_column(String(LONGEST_OPERATION_KEY), unique=True)
    actor: Mapped[str]
    at: Mapped[datetime]


class TrainingRow(Base):
    """One attempted training."""

    __tablename__ = "ledger_trainings"

    id: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(String(63), index=True)
    snapshot_digest: Mapped[str]
    partitions: Mapped[list[str]]
    operation_key: Mapped[str] = mapped_column(String(LONGEST_OPERATION_KEY), unique=True)
    requested_by: Mapped[str]
    at: Mapped[datetime]


class DecisionRow(Base):
    """One decision of the retraining policy."""

    __tablename__ = "ledger_decisions"

    id: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(String(63), index=True)
    window: Mapped[str]
    decision: Mapped[dict[str, JsonValue]]
    operation_key: Mapped[str] = mapped_column(String(LONGEST_OPERATION_KEY), unique=True)
    at: Mapped[datetime]


class PipelineRow(Base):
    """One declared pipeline, as it was declared last."""

    __tablename__ = "ledger_pipelines"

    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    owner: Mapped[str]
    risk: Mapped[str] = mapped_column(String(16))
    description: Mapped[str]
    reference: Mapped[str]
    at: Mapped[datetime]


class EvaluationRow(Base):
    """One evaluation. Another try of a task may come to other evidence, and has a row of its own then."""

    __tablename__ = "ledger_evaluations"
    __table_args__: Any = (UniqueConstraint("operation_key", "evidence_digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(String(63), index=True)
    run_id: Mapped[str]
    evidence_digest: Mapped[str]
    rows_digest: Mapped[str]
    candidate: Mapped[str] = mapped_column(String(63))
    passed: Mapped[bool]
    page: Mapped[str]
    dag_id: Mapped[str]
    operation_key: Mapped[str] = mapped_column(String(LONGEST_OPERATION_KEY))
    at: Mapped[datetime]


class ApprovalRequestRow(Base):
    """One decision that a task asked for."""

    __tablename__ = "ledger_approval_requests"
    __table_args__: Any = (_to_version(),)

    id: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(String(63), index=True)
    version: Mapped[int]
    generation: Mapped[int]
    evidence_digest: Mapped[str]
    risk: Mapped[str] = mapped_column(String(16))
    approvers: Mapped[list[str]]
    requested_by: Mapped[str]
    dag_id: Mapped[str]
    run_id: Mapped[str]
    task_id: Mapped[str]
    operation_key: Mapped[str] = mapped_column(String(LONGEST_OPERATION_KEY), unique=True)
    at: Mapped[datetime]
    expires_at: Mapped[datetime]


class ApprovalRow(Base):
    """One decision of a person, for or against. The greatest id of a subject is the one that holds."""

    __tablename__ = "ledger_approvals"
    __table_args__: Any = (_to_version(),)

    id: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(String(63), index=True)
    version: Mapped[int]
    generation: Mapped[int]
    evidence_digest: Mapped[str]
    verdict: Mapped[str] = mapped_column(String(16))
    actor: Mapped[str]
    reason: Mapped[str]
    operation_key: Mapped[str] = mapped_column(String(LONGEST_OPERATION_KEY), unique=True)
    at: Mapped[datetime]


class RetirementRow(Base):
    """One version that is out of use for good."""

    __tablename__ = "ledger_retirements"
    __table_args__: Any = (_to_version(),)

    model: Mapped[str] = mapped_column(String(63), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    archive: Mapped[str]
    archive_digest: Mapped[str]
    actor: Mapped[str]
    reason: Mapped[str]
    operation_key: Mapped[str] = mapped_column(String(LONGEST_OPERATION_KEY), unique=True)
    at: Mapped[datetime]


class EventRow(Base):
    """One entry of the audit trail: what a row of another table says, sealed into the model's hash chain."""

    __tablename__ = "ledger_events"
    __table_args__: Any = (
        UniqueConstraint("model", "sequence"),
        UniqueConstraint("kind", "operation_key"),
        _to_version(),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sequence: Mapped[int]
    model: Mapped[str] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(16))
    version: Mapped[int]
    generation: Mapped[int]
    digest: Mapped[str]
    evidence_digest: Mapped[str | None]
    actor: Mapped[str]
    reason: Mapped[str]
    operation_key: Mapped[str] = mapped_column(String(LONGEST_OPERATION_KEY))
    at: Mapped[datetime]
    former_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
