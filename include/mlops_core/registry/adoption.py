"""A change that somebody made by hand in MLflow becomes the ledger's, with a name and a reason."""

from mlflow import MlflowClient

from mlops_core.errors import RegistryMismatchError
from mlops_core.models.version import check_version
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.mirror import aliases_shown, mirror_aliases
from mlops_core.registry.records import Transition


def adopt_manual_change(
    model: str,
    *,
    ledger: Ledger,
    client: MlflowClient,
    reason: str,
    actor: str,
    operation_key: str,
    version: int | None = None,
) -> Transition:
    """Put a version into production that a person has chosen, past evaluation and gates.

    Its signature and its files are verified before. A rejection is not passed.

    Parameters
    ----------
    version
        Which. If None the one that MLflow's alias ``champion`` names, which is healed within a minute.

    Returns
    -------
    The transition, of kind ``adopt``; the first one if the operation key adopted a change before.

    Raises
    ------
    RegistryMismatchError
        If MLflow names no champion.
    PromotionConflictError
        If that version is in production already, or another transition came in between.
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
        generation = ledger.state(model).generation
        chosen = version if version is not None else aliases_shown(client, model).champion
        if chosen is None:
            raise RegistryMismatchError(
                f"MLflow names no champion of {model!r}, so there is nothing to adopt; name the version"
            )
        check_version(ledger.version(model, chosen), tracking_uri=client.tracking_uri)
        transition = ledger.adopt(
            model,
            version=chosen,
            expected_generation=generation,
            actor=actor,
            reason=reason,
            operation_key=operation_key,
        )
    mirror_aliases(model, ledger=ledger, client=client)
    return transition


def _past(model: str, *, ledger: Ledger, operation_key: str) -> Transition | None:
    """Return what the operation key adopted: the alias may name another version by now."""
    past = ledger.transition_of(operation_key)
    return past if past is not None and (past.model, past.kind) == (model, "adopt") else None
