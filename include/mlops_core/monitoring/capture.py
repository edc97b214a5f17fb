"""Captures a version's reference profile from its evaluation: the same rows, model and scores."""

import logging

from mlflow import MlflowClient

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import (
    CorruptedDataError,
    EvaluationError,
    ProfileMissingError,
    UntrustedModelError,
)
from mlops_core.evaluation.evidence import read_report
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.models.loaded import LoadedModel
from mlops_core.models.stored import load_model
from mlops_core.models.trust import TrustedCode
from mlops_core.models.version import load_version
from mlops_core.monitoring.profile import (
    ReferenceProfile,
    build_profile,
    log_profile,
    read_profile,
    read_sample,
)
from mlops_core.pipeline import Pipeline
from mlops_core.registry.records import VersionRecord
from mlops_core.tracking import tracking_client

log = logging.getLogger(__name__)


def capture_profile(
    pipeline: Pipeline,
    *,
    report: EvaluationReport,
    store: SnapshotStore,
    tracking_uri: str,
    version: VersionRecord | None = None,
) -> ReferenceProfile:
    """Keep the reference profile of a report's challenger with its run, or adopt the one that is there.

    Called when a version is about to be registered. A profile that is there and intact is adopted; one that a
    killed call left unfinished, or that was damaged since, is written again: it follows from the report.

    Parameters
    ----------
    report
        Names the held-out rows, the model and its scores.
    version
        The challenger's, once it is registered: then its signature is verified as well.

    Raises
    ------
    UntrustedModelError
        If the model's files differ from their digest, or name or hold what the pipeline does not declare, or
        the version is not the report's, or not signed.
    CorruptedDataError
        If the snapshot's do.
    RegistryUnavailableError
        If the MLflow server does not answer.
    """
    client, run_id = tracking_client(tracking_uri), report.challenger.run_id
    kept = _intact_profile(client, run_id)
    if kept is not None and (kept.model_digest, kept.snapshot) == (
        report.challenger.model.digest,
        report.snapshot,
    ):
        log.info("adopted the reference profile of run %s", run_id)
        return kept
    model = _load(pipeline, report=report, version=version, tracking_uri=tracking_uri)
    rows = store.read(report.snapshot, partitions=report.split.holdout_partitions)
    predictions = model.predict(rows.to_pandas())
    profile, sample = build_profile(pipeline, rows=rows, predictions=predictions, model=model, report=report)
    log_profile(client, run_id, profile=profile, sample=sample)
    return profile


def profile_of(
    pipeline: Pipeline, *, version: VersionRecord, store: SnapshotStore, tracking_uri: str
) -> ReferenceProfile:
    """Return a version's reference profile, captured now from its evidence if that was never done.

    Raises
    ------
    ProfileMissingError
        If there is neither a profile nor an evaluation report.
    CorruptedDataError
        If the profile differs from its digest.
    RegistryUnavailableError
        If the MLflow server does not answer.
    """
    client = tracking_client(tracking_uri)
    try:
        return read_profile(client, version.run_id)
    except ProfileMissingError as error:
        log.info("run %s has no reference profile yet", version.run_id)
        try:
            report = read_report(client, version.run_id, digest=version.evidence_digest)
        except EvaluationError:
            raise error from None
        return capture_profile(
            pipeline, report=report, store=store, tracking_uri=tracking_uri, version=version
        )


def _load(
    pipeline: Pipeline, *, report: EvaluationReport, version: VersionRecord | None, tracking_uri: str
) -> LoadedModel:
    stored = report.challenger.model
    if version is None:
        return load_model(stored, tracking_uri=tracking_uri, trusted=TrustedCode.declared_by(pipeline))
    if version.digest != stored.digest:
        raise UntrustedModelError(
            f"version {version.version} of {version.model!r} has the digest {version.digest}, and its report "
            f"is of {stored.digest}; register it again"
        )
    return load_version(version, tracking_uri=tracking_uri)


def _intact_profile(client: MlflowClient, run_id: str) -> ReferenceProfile | None:
    try:
        profile = read_profile(client, run_id)
        read_sample(client, run_id, profile=profile)
    except ProfileMissingError:
        return None
    except CorruptedDataError as error:
        log.warning("the reference profile is captured again: %s", error)
        return None
    return profile
