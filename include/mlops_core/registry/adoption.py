"""A change that somebody made by hand in MLflow becomes the ledger's, with a name and a reason."""

import logging

from mlflow import MlflowClient

from mlops_core.errors import RegistryMismatchError, RegistryUnavailableError
from mlops_core.models.version import check_version
from mlops_core.operation import operation_key as name_operation
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.mirror import aliases_shown, mirror_aliases
from mlops_core.registry.records import Transition

_log = logging.getLogger(__name__)


def adopt_manual_change(
    model: str,
    *,
    ledger: Ledger,
    client: MlflowClient,
    reason: str,
    actor: str,
    operation_key: str,
    version: int | None = None,
    deploys: bool = False,
) -> Transition:
    """Put a version into production that a person has chosen, past evaluation and gates.

    Its signature and its files are verified before. A rejection is not passed. An adoption of the version
    that is the model's last transition is taken up, whoever began it: what it left undone is done.

    Parameters
    ----------
    version
        Which. If None the one that MLflow's alias ``champion`` names, which is healed within a minute.
    deploys
        Have the model server serve it as well, before MLflow is told.

    Returns
    -------
    The transition, of kind ``adopt``; the first one if the operation key adopted a change before. A mirror
    that fails after it is only logged and left to ``reconcile``: production must not wait for MLflow.

    Raises
    ------
    RegistryMismatchError
        If MLflow names no champion.
    PromotionConflictError
        If that version is in production by a promotion or a roll back, or another transition came in between.
    UntrustedModelError
        If it is not signed, or its record or files were changed since.
    GateRefusedError
        If it is retired.
    ApprovalMissingError
        If the last decision about it, of whatever promotion, is a rejection.
    DeclarationError
        If the ledger does not know it, or the reason is empty.
    RegistryUnavailableError, LedgerUnavailableError
        If one of the two does not answer; a retry completes the work.
    """
    transition = _past(model, ledger=ledger, operation_key=operation_key)
    if transition is None:
        transition = _adopt(
            model,
            version=version,
            ledger=ledger,
            client=client,
            reason=reason,
            actor=actor,
            operation_key=operation_key,
        )
    if deploys:
        ledger.deploy(
            model,
            version=transition.version,
            expected_generation=transition.generation,
            operation_key=name_operation(transition.operation_key, "deploy"),
            actor=actor,
        )
    try:
        mirror_aliases(model, ledger=ledger, client=client)
    except (RegistryUnavailableError, RegistryMismatchError) as error:
        _log.warning("the aliases of %s are left to be reconciled: %s", model, error)
    return transition


def _past(model: str, *, ledger: Ledger, operation_key: str) -> Transition | None:
    """Return what the operation key adopted: the alias may name another version by now."""
    past = ledger.transition_of(operation_key)
    return past if past is not None and (past.model, past.kind) == (model, "adopt") else None


def _adopt(
    model: str,
    *,
    version: int | None,
    ledger: Ledger,
    client: MlflowClient,
    reason: str,
    actor: str,
    operation_key: str,
) -> Transition:
    generation = ledger.state(model).generation
    chosen = version if version is not None else aliases_shown(client, model).champion
    if chosen is None:
        raise RegistryMismatchError(
            f"MLflow names no champion of {model!r}, so there is nothing to adopt; name the version"
        )
    last = next(reversed(ledger.history(model)), None)
    if last is not None and (last.kind, last.version) == ("adopt", chosen):
        # Whoever began it may have been ended before anything serves the version.
        return last
    check_version(ledger.version(model, chosen), tracking_uri=client.tracking_uri)
    return ledger.adopt(
        model,
        version=chosen,
        expected_generation=generation,
        actor=actor,
        reason=reason,
        operation_key=operation_key,
    )
