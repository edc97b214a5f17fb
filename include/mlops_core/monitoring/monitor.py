"""Watches one scored window of a model version, and keeps what it found."""

import logging
from dataclasses import dataclass

import pyarrow as pa

from mlops_core.data.labels import known_labels
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DeclarationError
from mlops_core.monitoring import page
from mlops_core.monitoring.calibration import Calibration
from mlops_core.monitoring.capture import profile_of
from mlops_core.monitoring.drift import compare_columns, summarize_features, summarize_scores
from mlops_core.monitoring.evidently_report import render_evidently
from mlops_core.monitoring.performance import judge_performance
from mlops_core.monitoring.profile import ReferenceProfile, read_sample
from mlops_core.monitoring.report import MonitorReport
from mlops_core.pipeline import Pipeline
from mlops_core.reports import ReportStore, safe_key
from mlops_core.scoring.batch import ScoredPartition
from mlops_core.tracking import registry_errors, tracking_client

__all__ = ["MonitorReport", "page_path", "watch"]

REPORT_KIND = "drift"
PAGE_NAME = "report.html"
EVIDENTLY_NAME = "evidently.html"

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Window:
    """One partition's rows and the predictions of them, in the same order."""

    rows: pa.Table
    predictions: pa.Table


def watch(
    pipeline: Pipeline,
    *,
    scored: ScoredPartition,
    store: SnapshotStore,
    tracking_uri: str,
    reports: ReportStore,
    report_key: str,
) -> MonitorReport:
    """Compare a scored window with the reference profile of the version that scored it.

    The report, its page and Evidently's are kept in the report store and with the version's MLflow run, under
    names that the same window gets again: a repeated call writes the same report over itself.

    Parameters
    ----------
    scored
        Names the window's rows, the predictions and the version.
    report_key
        Names the pages in the report store, for example an operation key.

    Returns
    -------
    The report; with the same labels its digest is the same on every call.

    Raises
    ------
    ProfileMissingError
        If the version has neither a reference profile nor an evaluation report to capture it from.
    CorruptedDataError
        If the profile, the rows or the predictions differ from their digests.
    RegistryUnavailableError
        If the MLflow server does not answer.
    """
    if scored.pipeline != pipeline.name:
        raise DeclarationError(f"the window was scored for {scored.pipeline!r}, given was {pipeline.name!r}")
    profile = profile_of(pipeline, version=scored.version, store=store, tracking_uri=tracking_uri)
    window = _read(scored, store=store)
    evidently = _evidently_page(pipeline, scored, profile=profile, window=window, tracking_uri=tracking_uri)
    paths = {
        name: f"{pipeline.name}/{REPORT_KIND}/{safe_key(report_key)}/{name}"
        for name in (PAGE_NAME, EVIDENTLY_NAME)
    }
    report = examine(
        pipeline,
        scored=scored,
        profile=profile,
        window=window,
        page=paths[PAGE_NAME],
        evidently=None if evidently is None else paths[EVIDENTLY_NAME],
    )
    contents = {PAGE_NAME: page.render(report)}
    if evidently is not None:
        contents[EVIDENTLY_NAME] = evidently
    for name, content in contents.items():
        reports.write(pipeline=pipeline.name, kind=REPORT_KIND, key=report_key, name=name, content=content)
    _log_artifacts(report, contents=contents, tracking_uri=tracking_uri)
    log.info("%s %s: %s", pipeline.name, scored.partition, sorted(report.signals) or "nothing found")
    return report


def examine(
    pipeline: Pipeline,
    *,
    scored: ScoredPartition,
    profile: ReferenceProfile,
    window: Window,
    page: str,
    evidently: str | None = None,
) -> MonitorReport:
    """Return the report of a window; nothing is read or kept.

    Parameters
    ----------
    page, evidently
        Where the pages will be, relative to the report store.
    """
    policy = pipeline.monitor
    rows = window.rows.num_rows
    # One family: a false alarm anywhere in the window is a false alarm of the window.
    calibration = Calibration.of(
        columns=len(profile.features) + len(profile.scores),
        false_alarm_rate=policy.false_alarm_rate,
        seed=pipeline.seed,
    )
    features = compare_columns(profile.features, window.rows, policy=policy, calibration=calibration)
    scores = compare_columns(profile.scores, window.predictions, policy=policy, calibration=calibration)
    labels = known_labels(pipeline, partition=scored.partition, rows=window.rows)
    return MonitorReport(
        pipeline=pipeline.name,
        partition=scored.partition,
        version=scored.version.version,
        run_id=scored.version.run_id,
        model_digest=scored.version.digest,
        profile_digest=profile.digest(),
        snapshot=scored.source.snapshot,
        predictions=scored.predictions.snapshot,
        rows=rows,
        reference_rows=profile.rows,
        false_alarm_rate=policy.false_alarm_rate,
        minimum_effect=policy.minimum_effect,
        data_drift=summarize_features(features, rows=rows, reference_rows=profile.rows, policy=policy),
        prediction_drift=summarize_scores(scores, rows=rows, reference_rows=profile.rows, policy=policy),
        performance=judge_performance(
            pipeline, predictions=window.predictions, labels=labels, profile=profile
        ),
        page=page,
        evidently=evidently,
    )


def page_path(pipeline: str, *, report_key: str) -> str:
    """Return where ``watch`` puts its page, relative to the report store."""
    return ReportStore.relative_path(pipeline=pipeline, kind=REPORT_KIND, key=report_key, name=PAGE_NAME)


def _read(scored: ScoredPartition, *, store: SnapshotStore) -> Window:
    return Window(
        rows=store.read(scored.source.snapshot, partitions=[scored.partition]),
        predictions=store.read(scored.predictions.snapshot, partitions=[scored.partition]),
    )


def _evidently_page(
    pipeline: Pipeline,
    scored: ScoredPartition,
    *,
    profile: ReferenceProfile,
    window: Window,
    tracking_uri: str,
) -> str | None:
    sample = read_sample(tracking_client(tracking_uri), scored.version.run_id, profile=profile)
    current = window.rows
    for column in profile.scores:
        index = window.predictions.schema.get_field_index(column.name)
        if index >= 0 and column.name not in current.column_names:
            current = current.append_column(column.name, window.predictions.column(index))
    columns = (*profile.features, *profile.scores)
    return render_evidently(columns, reference=sample, current=current, seed=pipeline.seed)


def _log_artifacts(report: MonitorReport, *, contents: dict[str, str], tracking_uri: str) -> None:
    client = tracking_client(tracking_uri)
    # The digest in the name keeps a window that was monitored again, with more labels, beside the first
    # report.
    folder = f"monitoring/{safe_key(report.partition)}/{report.digest()[:16]}"
    with registry_errors(f"log the monitor report of {report.partition} to run {report.run_id}"):
        for name, content in contents.items():
            client.log_text(report.run_id, content, f"{folder}/{name}")
        client.log_dict(report.run_id, report.model_dump(mode="json"), f"{folder}/report.json")
