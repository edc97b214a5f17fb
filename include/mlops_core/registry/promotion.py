"""Promotion and roll back: the ledger's transition first, MLflow's mirror of it second."""

import logging

from mlflow.exceptions import MlflowException

from mlops_core.errors import (
    GateRefusedError,
    RegistryMismatchError,
    RegistryUnavailableError,
    RollbackRefusedError,
)
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.mirror import mirror_aliases
from mlops_core.registry.mlflow_versions import is_absent
from mlops_core.registry.records import Transition, VersionRecord
from mlops_core.tracking import registry_errors, tracking_client

_log = logging.getLogger(__name__)


def promote(
    record: VersionRecord,
    *,
    expected_generation: int,
    operation_key: str,
    actor: str,
    reason: str,
    ledger: Ledger,
    tracking_uri: str,
) -> Transition:
    """Put a registered version into production.

    Parameters
    ----------
    record
        As registration returned it; its evidence must be the one that the ledger holds for the version.
    expected_generation
        The ledger's when the version was judged: the evaluation report's ``generation``.

    Returns
    -------
    The transition. When the mirror fails after it, with RegistryUnavailableError, it stands all the same; a
    retry with the same operation key completes the mirror.

    Raises
    ------
    PromotionConflictError
        If another transition came first, or the version is in production already.
    GateRefusedError
        If the version has no evidence, or another one.
    RegistryMismatchError
        If the version was deleted from MLflow.
    RegistryUnavailableError, LedgerUnavailableError
        If one of the two does not answer.
    """
    if record.evidence_digest is None:
        raise GateRefusedError(
            f"version {record.version} of {record.model!r} has no evaluation report that passed; "
            "evaluate it, then register it"
        )
    client = tracking_client(tracking_uri)
    with registry_errors(f"read version {record.version} of {record.model!r}"):
        try:
            client.get_model_version(record.model, str(record.version))
        except MlflowException as error:
            if not is_absent(error):
                raise
            raise RegistryMismatchError(
                f"MLflow has no version {record.version} of {record.model!r}: it was deleted by hand; "
                "train and register another one"
            ) from error
    transition = ledger.promote(
        record.model,
        version=record.version,
        expected_generation=expected_generation,
        operation_key=operation_key,
        evidence_digest=record.evidence_digest,
        actor=actor,
        reason=reason,
    )
    mirror_aliases(record.model, ledger=ledger, client=client)
    return transition


def roll_back(
    model: str,
    *,
    operation_key: str,
    actor: str,
    reason: str,
    ledger: Ledger,
    tracking_uri: str,
    leaving: int | None = None,
) -> Transition:
    """Put the version before into production again.

    Parameters
    ----------
    leaving
        The version that must be in production now; whatever is if None, and then two calls go back twice.

    Returns
    -------
    The transition. It needs the ledger alone: production must not wait for MLflow, so a mirror that fails
    after it is only logged and left to ``reconcile``.

    Raises
    ------
    RollbackRefusedError
        If there is no version to return to, or the one in production is not the one to leave.
    PromotionConflictError
        If another transition came in between.
    LedgerUnavailableError
        If the ledger does not answer.
    """
    transition = ledger.roll_back(
        model,
        operation_key=operation_key,
        actor=actor,
        reason=reason,
        expected_generation=_generation_of(model, leaving, ledger=ledger, operation_key=operation_key),
    )
    try:
        mirror_aliases(model, ledger=ledger, client=tracking_client(tracking_uri))
    except (RegistryUnavailableError, RegistryMismatchError) as error:
        _log.warning("the aliases of %s are left to be reconciled: %s", model, error)
    return transition


def _generation_of(model: str, version: int | None, *, ledger: Ledger, operation_key: str) -> int | None:
    """Return the generation in which the version is in production; None if it does not matter."""
    if version is None or any(past.operation_key == operation_key for past in ledger.history(model)):
        return None
    state = ledger.state(model)
    if state.champion is None or state.champion.version != version:
        present = "nothing" if state.champion is None else f"version {state.champion.version}"
        raise RollbackRefusedError(
            f"cannot leave version {version} of {model!r}: {present} is in production; "
            "look again, then decide"
        )
    return state.generation
