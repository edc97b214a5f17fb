"""The true record of what is in production, in SQL. MLflow's aliases only mirror it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Self, TypeVar

from pydantic import JsonValue, ValidationError
from sqlalchemy import select

from mlops_core.document import Document
from mlops_core.errors import DeclarationError
from mlops_core.registry import aliases, deployments, production, retraining, versions
from mlops_core.registry.cause import Cause
from mlops_core.registry.database import Database
from mlops_core.registry.records import (
    Aliases,
    DecisionRecord,
    Deployment,
    LedgerState,
    TrainingRecord,
    Transition,
    VersionRecord,
    in_utc,
)
from mlops_core.registry.schema import ModelRow

__all__ = [
    "DecisionRecord",
    "Deployment",
    "Ledger",
    "LedgerState",
    "TrainingRecord",
    "Transition",
    "VersionRecord",
]

_DocumentT = TypeVar("_DocumentT", bound=Document)


def utc_now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


class Ledger:
    """Versions, transitions, deployments, trainings and decisions of every model.

    Each method is one transaction. Each method that writes takes an operation key: called again with the same
    key it changes nothing and returns what the first call returned, so a killed task can be run again.

    Parameters
    ----------
    url
        SQLAlchemy URL of a SQLite file or a PostgreSQL database. Missing tables are made at first use.
    clock
        Returns the present instant with its time zone.

    Raises
    ------
    DeclarationError
        From the constructor when no ledger can live at the URL; from a method when an operation key, already
        used, is given for something else.
    LedgerUnavailableError
        From any method, when the database does not answer.
    """

    def __init__(self, url: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = Database(url)
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of this process; the next call opens new ones."""
        self._database.close()

    def state(self, model: str) -> LedgerState:
        """Return where the model stands; generation 0 when nothing was ever in production.

        The challenger is the version registered last, until it is promoted.
        """
        with self._database.reading() as session:
            return production.state_of(session, model)

    def models(self) -> tuple[str, ...]:
        """Return the names of the models that have a registered version."""
        with self._database.reading() as session:
            return tuple(session.scalars(select(ModelRow.name).order_by(ModelRow.name)))

    def record_version(self, record: VersionRecord, *, operation_key: str, actor: str) -> VersionRecord:
        """Add a version and make it the challenger.

        Returns
        -------
        The version that the operation key recorded first. Its number may differ from the one given if both
        stand for the same model files, run and evidence.
        """
        cause = self._cause(operation_key, actor)
        return self._database.write(lambda session: versions.record_version(session, record, cause=cause))

    def versions(self, model: str) -> tuple[VersionRecord, ...]:
        """Return the model's versions by number."""
        with self._database.reading() as session:
            return versions.versions_of(session, model)

    def version_of(self, operation_key: str) -> VersionRecord | None:
        """Return the version that an operation key recorded."""
        with self._database.reading() as session:
            return versions.version_of(session, operation_key)

    def promote(
        self,
        model: str,
        *,
        version: int,
        expected_generation: int,
        operation_key: str,
        evidence_digest: str,
        actor: str,
        reason: str,
    ) -> Transition:
        """Put a version into production.

        Parameters
        ----------
        expected_generation
            The generation against which the version was judged.
        evidence_digest
            Of the evaluation report on which it was decided.

        Raises
        ------
        PromotionConflictError
            If the generation is another one by now, or if the version is in production already.
        GateRefusedError
            If the version was registered without this evidence.
        DeclarationError
            If the version is not in the ledger.
        """
        cause = self._cause(operation_key, actor, reason)
        return self._database.write(
            lambda session: production.promote(
                session,
                model,
                version=version,
                expected_generation=expected_generation,
                evidence_digest=evidence_digest,
                cause=cause,
            )
        )

    def roll_back(
        self,
        model: str,
        *,
        operation_key: str,
        actor: str,
        reason: str,
        expected_generation: int | None = None,
    ) -> Transition:
        """Take the version in production away, so that the one below it on the stack is in production again.

        After promoting 1, 2 and 3, two roll backs give 2 and 1, and a third is refused.

        Parameters
        ----------
        expected_generation
            Refuse if the model is at another one. Without it, two people who roll back at once go back twice.

        Raises
        ------
        RollbackRefusedError
            If there is no version below.
        PromotionConflictError
            If the generation is not the expected one.
        """
        cause = self._cause(operation_key, actor, reason)
        return self._database.write(
            lambda session: production.roll_back(
                session, model, expected_generation=expected_generation, cause=cause
            )
        )

    def in_production(self, model: str, *, at: datetime | None = None) -> VersionRecord | None:
        """Return the version in production at an instant, now if None.

        A transition counts from its own instant on. For an instant to come it is what is in production now.

        Raises
        ------
        DeclarationError
            If the instant names no time zone.
        """
        with self._database.reading() as session:
            if at is None:
                return production.state_of(session, model).champion
            return production.in_production(session, model, at=_aware(at))

    def history(self, model: str) -> tuple[Transition, ...]:
        """Return the model's transitions, the first one first."""
        with self._database.reading() as session:
            return production.history(session, model)

    def deploy(
        self, model: str, *, version: int, expected_generation: int, operation_key: str, actor: str
    ) -> Deployment:
        """Have the model server serve the version that is in production.

        Raises
        ------
        PromotionConflictError
            If the generation is not the expected one, or another version is in production.
        """
        cause = self._cause(operation_key, actor)
        return self._database.write(
            lambda session: deployments.deploy(
                session, model, version=version, expected_generation=expected_generation, cause=cause
            )
        )

    def deployments(self) -> tuple[Deployment, ...]:
        """Return what the model server must serve now, by model."""
        with self._database.reading() as session:
            return deployments.deployments(session)

    def is_mirrored(self, model: str) -> bool:
        """Return whether MLflow's aliases were confirmed since the ledger last moved.

        Raises
        ------
        DeclarationError
            If the ledger does not know the model.
        """
        with self._database.reading() as session:
            return aliases.is_mirrored(session, model)

    def confirm_mirror(self, model: str, *, shown: Aliases) -> bool:
        """Remember that MLflow shows these aliases; return False if the ledger wants others by now."""
        return self._database.write(lambda session: aliases.confirm(session, model, shown=shown))

    def record_training(
        self,
        model: str,
        *,
        snapshot_digest: str,
        partitions: Sequence[str],
        operation_key: str,
        requested_by: str,
    ) -> TrainingRecord:
        """Remember that a training of this snapshot was attempted."""
        record = _declare(
            TrainingRecord,
            model=model,
            snapshot_digest=snapshot_digest,
            partitions=tuple(partitions),
            operation_key=operation_key,
            requested_by=requested_by,
            at=self._clock(),
        )
        return self._database.write(lambda session: retraining.record_training(session, record))

    def last_training(self, model: str) -> TrainingRecord | None:
        """Return the training that was attempted last."""
        return next(iter(self.trainings(model, limit=1)), None)

    def trainings(self, model: str, *, limit: int = 100) -> tuple[TrainingRecord, ...]:
        """Return the latest attempted trainings, the newest first."""
        with self._database.reading() as session:
            return retraining.trainings(session, model, limit=limit)

    def record_decision(
        self, model: str, *, operation_key: str, window: str, decision: Mapping[str, JsonValue]
    ) -> DecisionRecord:
        """Remember what the retraining policy decided about a window."""
        record = _declare(
            DecisionRecord,
            model=model,
            window=window,
            decision=dict(decision),
            operation_key=operation_key,
            at=self._clock(),
        )
        return self._database.write(lambda session: retraining.record_decision(session, record))

    def decisions(self, model: str, *, limit: int = 100) -> tuple[DecisionRecord, ...]:
        """Return the latest decisions, the newest first."""
        with self._database.reading() as session:
            return retraining.decisions(session, model, limit=limit)

    def _cause(self, operation_key: str, actor: str, reason: str = "") -> Cause:
        return Cause(operation_key=operation_key, actor=actor, reason=reason, at=_aware(self._clock()))


def _aware(instant: datetime) -> datetime:
    try:
        return in_utc(instant)
    except ValueError as error:
        raise DeclarationError(str(error)) from error


def _declare(document: type[_DocumentT], **fields: object) -> _DocumentT:
    try:
        return document.model_validate(fields)
    except ValidationError as error:
        raise DeclarationError(f"not a {document.__name__}: {error}") from error
