"""Takes a version out of use: archive, ledger, registry, retention, in that order."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from mlops_core.artifacts import list_artifacts
from mlops_core.cards.build import build_card
from mlops_core.cards.places import CARD_FILES, card_folder
from mlops_core.cards.write import write_card
from mlops_core.errors import CorruptedDataError, DeclarationError, EvaluationError
from mlops_core.evaluation.evidence import read_report
from mlops_core.pipeline import Pipeline
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.mlflow_versions import delete_version
from mlops_core.registry.records import Retirement, VersionRecord
from mlops_core.registry.transactions import utc_now
from mlops_core.reports import ReportStore
from mlops_core.retirement.archive import archive_name, make_archive
from mlops_core.retirement.dependents import require_unused
from mlops_core.retirement.retention import free_archives
from mlops_core.tracking import tracking_client

log = logging.getLogger(__name__)


def retire(  # noqa: PLR0913  the version, the services around it, and who decided
    model: str,
    version: int,
    *,
    pipeline: Pipeline,
    ledger: Ledger,
    tracking_uri: str,
    reports: ReportStore,
    archive_path: str,
    actor: str,
    reason: str,
    operation_key: str,
    in_use: Sequence[str] = (),
    clock: Callable[[], datetime] = utc_now,
) -> Retirement:
    """Archive a version, take it out of use in the ledger, and delete it from MLflow's registry.

    Its run, and so its files there, stay: what was trained, and on what, is never forgotten. It may be ended
    anywhere and called again with the same operation key: an intact archive and the ledger's retirement are
    adopted, and what is left is done.

    Parameters
    ----------
    archive_path
        Folder of all archives, or its URI.
    in_use
        What else depends on the version, each in words; see ``require_unused``.
    clock
        Returns the present instant, which retention compares.

    Raises
    ------
    RetirementRefusedError
        If anything depends on the version, or another operation retired it.
    UntrustedModelError
        If its files differ from their digest, or are gone.
    DeclarationError
        If the ledger does not know the version, the reason is empty, or the pipeline is another model's.
    RegistryUnavailableError, LedgerUnavailableError
        If one of the two does not answer; a retry completes the work.
    """
    if pipeline.name != model:
        raise DeclarationError(f"the pipeline is {pipeline.name!r}, the version is of {model!r}")
    client, folder = tracking_client(tracking_uri), archive_path.rstrip("/")
    done = _adopted(model, version, ledger=ledger, operation_key=operation_key)
    if done is None:
        record = ledger.version(model, version)
        require_unused(model, version, ledger=ledger, in_use=in_use)
        _complete_card(pipeline, record, ledger=ledger, tracking_uri=tracking_uri, reports=reports)
        digest = make_archive(record, client=client, tracking_uri=tracking_uri, folder=folder)
        done = ledger.retire(
            model,
            version=version,
            archive=archive_name(record),
            archive_digest=digest,
            actor=actor,
            reason=reason,
            operation_key=operation_key,
        )
    delete_version(client, model, version=version)
    free_archives(pipeline, ledger=ledger, client=client, folder=folder, now=clock())
    log.info("retired version %d of %s; archive %s", version, model, done.archive)
    return done


def _adopted(model: str, version: int, *, ledger: Ledger, operation_key: str) -> Retirement | None:
    past = ledger.retirement_of(operation_key)
    return past if past is not None and (past.model, past.version) == (model, version) else None


def _complete_card(
    pipeline: Pipeline, record: VersionRecord, *, ledger: Ledger, tracking_uri: str, reports: ReportStore
) -> None:
    """Write the card of a version that has none, or a part of one, so that the archive holds it."""
    client = tracking_client(tracking_uri)
    folder = card_folder(record.version)
    if {f"{folder}/{name}" for name in CARD_FILES} <= set(list_artifacts(client, record.run_id, folder)):
        return
    try:
        report = read_report(client, record.run_id, digest=record.evidence_digest)
        card = build_card(pipeline, version=record, report=report, ledger=ledger, tracking_uri=tracking_uri)
    except (EvaluationError, CorruptedDataError, DeclarationError) as error:
        log.warning("version %d of %s has no card: %s", record.version, record.model, error)
        return
    write_card(card, client=client, reports=reports)
