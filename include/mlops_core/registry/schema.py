"""The ledger's tables. Rows are only added; the one row that changes is a model's generation."""

from datetime import UTC, datetime
from typing import Any

from pydantic import JsonValue
from sqlalchemy import JSON, DateTime, Dialect, ForeignKey, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import String, TypeDecorator

from mlops_core.registry.records import LONGEST_OPERATION_KEY, in_utc


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
