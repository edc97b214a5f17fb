"""The true record of what is in production, in SQL. MLflow's aliases only mirror it."""

from datetime import datetime
from functools import partial

from sqlalchemy import select

from mlops_core.registry import aliases, deployments, events, production, versions
from mlops_core.registry.decided import Decided
from mlops_core.registry.records import (
    Aliases,
    DecisionRecord,
    Deployment,
    LedgerEvent,
    LedgerState,
    TrainingRecord,
    Transition,
    VersionRecord,
)
from mlops_core.registry.remembered import Remembered
from mlops_core.registry.schema import ModelRow
from mlops_core.registry.transactions import aware
from mlops_core.signing import Signature

__all__ = [
    "DecisionRecord",
    "Deployment",
    "Ledger",
    "LedgerState",
    "TrainingRecord",
    "Transition",
    "VersionRecord",
]


class Ledger(Decided, Remembered):
    """Versions, transitions, deployments, and what was decided and remembered of every model.

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
    CorruptedDataError
        From any method, when the SQLite file is damaged.
    """

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

    def version(self, model: str, number: int) -> VersionRecord:
        """Return the model's version of that number.

        Raises
        ------
        DeclarationError
            If there is none; the message lists those that there are.
        """
        with self._database.reading() as session:
            return versions.find_version(session, model, number)

    def version_of(self, operation_key: str) -> VersionRecord | None:
        """Return the version that an operation key recorded."""
        with self._database.reading() as session:
            return versions.version_of(session, operation_key)

    def sign_version(
        self, model: str, *, version: int, signature: Signature, actor: str, reason: str, operation_key: str
    ) -> VersionRecord:
        """Put a signature in the place of a version's former one, if it had any.

        The same signature again changes nothing. It is no event of the audit trail: a signature says itself
        who made it and of what.

        Raises
        ------
        GateRefusedError
            If the version is retired.
        DeclarationError
            If the reason is empty, or the version is not in the ledger.
        """
        return self._database.write(
            partial(
                versions.sign_version,
                model=model,
                version=version,
                signature=signature,
                cause=self._cause(operation_key, actor, reason),
            )
        )

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
        approval_key: str | None = None,
    ) -> Transition:
        """Put a version into production.

        Parameters
        ----------
        expected_generation
            The generation against which the version was judged.
        evidence_digest
            Of the evaluation report on which it was decided.
        approval_key
            The operation key of a person's approval, where one is needed: it must be of this very promotion.

        Raises
        ------
        PromotionConflictError
            If the generation is another one by now, or if the version is in production already.
        GateRefusedError
            If the version was registered without this evidence, or is retired.
        ApprovalMissingError
            If an approval is needed and is missing, is of something else, or was taken back; or if the last
            decision about this very promotion is a rejection.
        DeclarationError
            If the version is not in the ledger.
        """
        return self._database.write(
            partial(
                production.promote,
                model=model,
                version=version,
                expected_generation=expected_generation,
                evidence_digest=evidence_digest,
                approval_key=approval_key,
                cause=self._cause(operation_key, actor, reason),
            )
        )

    def adopt(
        self,
        model: str,
        *,
        version: int,
        expected_generation: int,
        actor: str,
        reason: str,
        operation_key: str,
    ) -> Transition:
        """Take over a change that somebody made by hand outside the ledger: put that version into production.

        It needs no evaluation report; the transition then names ``none`` as its evidence.

        Raises
        ------
        PromotionConflictError
            If the generation is another one by now, or if the version is in production already.
        UntrustedModelError
            If the version is not signed.
        GateRefusedError
            If it is retired.
        ApprovalMissingError
            If the last decision about it, of whatever promotion, is a rejection.
        DeclarationError
            If the reason is empty, or the version is not in the ledger.
        """
        return self._database.write(
            partial(
                production.adopt,
                model=model,
                version=version,
                expected_generation=expected_generation,
                cause=self._cause(operation_key, actor, reason),
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

        After promoting 1, 2 and 3, two roll backs give 2 and 1, and a third is refused. Retired versions are
        passed by.

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
            return production.in_production(session, model, at=aware(at))

    def history(self, model: str) -> tuple[Transition, ...]:
        """Return the model's transitions, the first one first."""
        with self._database.reading() as session:
            return production.history(session, model)

    def transition_of(self, operation_key: str) -> Transition | None:
        """Return the transition that an operation key made, of whatever model and kind."""
        with self._database.reading() as session:
            return production.transition_of(session, operation_key)

    def events(self, model: str | None = None) -> tuple[LedgerEvent, ...]:
        """Return the audit trail of one model in its order, or of all in the order of writing."""
        with self._database.reading() as session:
            return events.events(session, model)

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
