"""Frees the files of versions that retention no longer keeps, and none that somebody may still need."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from mlops_core.data import storage
from mlops_core.errors import CorruptedDataError, EvaluationError
from mlops_core.evaluation.evidence import read_report
from mlops_core.pipeline import Pipeline
from mlops_core.policies import RetentionPolicy
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import Retirement, VersionRecord
from mlops_core.retirement.archive import freed_note
from mlops_core.retirement.documents import FreedArchive
from mlops_core.tracking import is_absent, registry_errors

log = logging.getLogger(__name__)


def free_archives(
    pipeline: Pipeline, *, ledger: Ledger, client: MlflowClient, folder: str, now: datetime
) -> tuple[FreedArchive, ...]:
    """Delete what is stored of versions that retention does not keep, with a note in each archive's place.

    The archive goes, and the model that MLflow holds is marked as deleted, so that ``mlflow gc`` frees it.
    Runs with their evidence stay.

    Kept are the latest ``retention.versions``, those retired within ``retention.days``, and what evidence
    refers to: a version that a kept version was judged against. Where the evidence of a kept version cannot
    be read, nothing is freed.

    Returns
    -------
    The notes of what was freed now.

    Raises
    ------
    RegistryUnavailableError, LedgerUnavailableError
        If one of the two does not answer.
    """
    old = _old(ledger.retirements(pipeline.name), policy=pipeline.retention, now=now)
    present = [retired for retired in old if storage.exists(f"{folder}/{retired.archive}")]
    if not present:
        return ()
    try:
        kept = _protected(pipeline.name, {retired.version for retired in old}, ledger=ledger, client=client)
    except (EvaluationError, CorruptedDataError) as error:
        log.warning("no archive of %s is freed: %s", pipeline.name, error)
        return ()
    records = {record.version: record for record in ledger.versions(pipeline.name)}
    needed = {records[version].uri for version in kept}
    freed = []
    for retired in present:
        if retired.version in kept:
            continue
        if (uri := records[retired.version].uri) not in needed:
            _delete_model(client, uri)
        freed.append(_free(retired, folder=folder, policy=pipeline.retention, now=now))
    return tuple(freed)


def _old(
    retirements: Iterable[Retirement], *, policy: RetentionPolicy, now: datetime
) -> tuple[Retirement, ...]:
    """Return the retirements that neither number nor age keeps."""
    newest_first = sorted(retirements, key=lambda one: (one.at, one.version), reverse=True)
    age = timedelta(days=policy.days)
    return tuple(
        retired for retired in newest_first[policy.versions :] if retired.archive and now - retired.at > age
    )


def _protected(model: str, old: set[int], *, ledger: Ledger, client: MlflowClient) -> set[int]:
    """Return the versions that stay: all but the old ones, and what the evidence of those that stay names."""
    records = {record.version: record for record in ledger.versions(model)}
    state = ledger.state(model)
    kept = set(records.keys() - old)
    kept |= {record.version for record in (state.champion, state.challenger) if record is not None}
    kept |= {request.version for request in ledger.approval_requests(model)}
    waiting = list(kept)
    while waiting:
        named = _judged_against(records[waiting.pop()], client=client)
        if named is not None and named not in kept:
            kept.add(named)
            waiting.append(named)
    return kept


def _judged_against(record: VersionRecord, *, client: MlflowClient) -> int | None:
    if record.evidence_digest is None:
        return None
    report = read_report(client, record.run_id, digest=record.evidence_digest)
    return None if report.champion is None else report.champion.version


def _delete_model(client: MlflowClient, uri: str) -> None:
    """Have MLflow forget a stored model; it is no error if it did already."""
    with registry_errors(f"delete {uri}"):
        try:
            client.delete_logged_model(uri.removeprefix("models:/"))
        except MlflowException as error:
            if not is_absent(error):
                raise


def _free(retired: Retirement, *, folder: str, policy: RetentionPolicy, now: datetime) -> FreedArchive:
    note = FreedArchive(
        model=retired.model,
        version=retired.version,
        archive=retired.archive,
        archive_digest=retired.archive_digest,
        reason=(
            f"retention keeps the latest {policy.versions} retired versions and those of the last "
            f"{policy.days:g} days, and no kept evidence names it"
        ),
        at=now,
    )
    # The note first: an archive is never gone without one.
    storage.write_file(f"{folder}/{freed_note(retired.archive)}", note.model_dump_json(indent=2).encode())
    storage.remove_file(f"{folder}/{retired.archive}")
    log.info("freed the archive of version %d of %s", retired.version, retired.model)
    return note
