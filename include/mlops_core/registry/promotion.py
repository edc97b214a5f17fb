"""Promotion and roll back: the ledger's transition first, MLflow's mirror of it second."""

import logging

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from mlops_core.errors import (
    ApprovalMissingError,
    GateRefusedError,
    RegistryMismatchError,
    RegistryUnavailableError,
    RollbackRefusedError,
)
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.models.version import check_version
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.mirror import mirror_aliases
from mlops_core.registry.records import Transition, VersionRecord
from mlops_core.registry.versions import require_in_use
from mlops_core.signing.verifier import Verifier
from mlops_core.tracking import is_absent, registry_errors, tracking_client

_log = logging.getLogger(__name__)


def promote(
    record: VersionRecord,
    *,
    report: EvaluationReport,
    operation_key: str,
    actor: str,
    reason: str,
    ledger: Ledger,
    tracking_uri: str,
    approval_key: str | None = None,
) -> Transition:
    """Put a registered version into production.

    Its signature and its files are verified once more: what was changed since it was registered stays out, at
    the cost of a download. What the operation key promoted before is adopted, and its mirror completed.

    Parameters
    ----------
    record
        As registration returned it; its evidence must be the one that the ledger holds for the version.
    report
        The version's evidence. It says the generation that the version was judged against, and the risk: any
        but ``low`` needs a person's approval.
    approval_key
        The operation key of that approval. Where one is given it is demanded, whatever the risk.

    Returns
    -------
    The transition. When the mirror fails after it, with RegistryUnavailableError, it stands all the same; a
    retry with the same operation key completes the mirror.

    Raises
    ------
    PromotionConflictError
        If another transition came first, or the version is in production already.
    GateRefusedError
        If the report is not the version's evidence, or the version has none, or is retired.
    ApprovalMissingError
        If an approval is needed and is missing, is of something else, or was taken back; or if somebody
        rejected this very promotion.
    UntrustedModelError
        If no trusted key signed the version, or its record or files were changed since.
    RegistryMismatchError
        If the version was deleted from MLflow.
    RegistryUnavailableError, LedgerUnavailableError
        If one of the two does not answer.
    """
    _require_report(record, report, approval_key=approval_key)
    client = tracking_client(tracking_uri)
    # What the ledger has done or ruled out needs no answer from MLflow, which may have lost the version.
    if not _moved(record.model, ledger=ledger, operation_key=operation_key):
        with ledger.reading() as session:
            asked = f"promote version {record.version} of {record.model!r}"
            require_in_use(session, record.model, record.version, asked=asked)
        _require_present(record, client=client)
        _verify(record, ledger=ledger, tracking_uri=tracking_uri)
    transition = ledger.promote(
        record.model,
        version=record.version,
        expected_generation=report.generation,
        operation_key=operation_key,
        evidence_digest=report.digest(),
        actor=actor,
        reason=reason,
        approval_key=approval_key,
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


def _require_report(record: VersionRecord, report: EvaluationReport, *, approval_key: str | None) -> None:
    """Refuse a report that is not the version's evidence, and a risk that nobody has approved."""
    named = f"version {record.version} of {record.model!r}"
    if record.evidence_digest is None:
        raise GateRefusedError(f"{named} has no evaluation report that passed; evaluate it, then register it")
    if report.digest() != record.evidence_digest:
        raise GateRefusedError(
            f"{named} was registered with the evaluation report {record.evidence_digest}, and not with "
            f"{report.digest()}; decide on the registered report"
        )
    if report.risk != "low" and approval_key is None:
        raise ApprovalMissingError(
            f"{named} is of {report.risk} risk, and nobody has approved its promotion; ask for approval"
        )


def _require_present(record: VersionRecord, *, client: MlflowClient) -> None:
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


def _moved(model: str, *, ledger: Ledger, operation_key: str) -> bool:
    past = ledger.transition_of(operation_key)
    return past is not None and past.model == model


def _verify(record: VersionRecord, *, ledger: Ledger, tracking_uri: str) -> None:
    verifier = Verifier.from_settings()
    # The transition takes the ledger's own record, which may have been changed where the given one was not.
    verifier.verify(ledger.version(record.model, record.version))
    check_version(record, tracking_uri=tracking_uri, verifier=verifier)


def _generation_of(model: str, version: int | None, *, ledger: Ledger, operation_key: str) -> int | None:
    """Return the generation in which the version is in production; None if it does not matter."""
    if version is None or _moved(model, ledger=ledger, operation_key=operation_key):
        return None
    state = ledger.state(model)
    if state.champion is None or state.champion.version != version:
        present = "nothing" if state.champion is None else f"version {state.champion.version}"
        raise RollbackRefusedError(
            f"cannot leave version {version} of {model!r}: {present} is in production; "
            "look again, then decide"
        )
    return state.generation
