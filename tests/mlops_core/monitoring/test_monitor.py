import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from mlflow import MlflowClient

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DeclarationError
from mlops_core.monitoring import monitor
from mlops_core.monitoring.monitor import page_path, watch
from mlops_core.monitoring.profile import build_profile, log_profile
from mlops_core.monitoring.report import FindingKind, MonitorReport, PerformanceVerdict, Verdict
from mlops_core.pipeline import MonitorPolicy
from mlops_core.reports import ReportStore
from mlops_core.scoring.batch import ScoredPartition

ReportOf = Callable[..., MonitorReport]


def test_a_window_like_the_reference_shows_nothing(report_of: ReportOf, examples: Any) -> None:
    report = report_of(examples.rows())
    assert report.data_drift.verdict is Verdict.NO_DRIFT
    assert report.prediction_drift.verdict is Verdict.NO_DRIFT
    assert report.performance.verdict is PerformanceVerdict.NO_LOSS
    assert report.signals == frozenset()
    assert report.findings == ()


def test_a_shifted_window_shows_drift_of_data_and_predictions(report_of: ReportOf, examples: Any) -> None:
    report = report_of(examples.rows(shift=2.0))
    assert report.signals == {"data_drift", "prediction_drift"}
    assert report.data_drift.drifted == ("amount",)
    assert report.prediction_drift.drifted == ("score",)


def test_labels_that_no_longer_follow_show_a_loss_alone(report_of: ReportOf, examples: Any) -> None:
    assert report_of(examples.rows(noise=50.0)).signals == {"performance"}


def test_a_small_window_shows_insufficient_data_three_times(report_of: ReportOf, examples: Any) -> None:
    report = report_of(examples.rows(50, shift=9.0))
    parts = (report.data_drift.verdict, report.prediction_drift.verdict, report.performance.verdict)
    assert {part.value for part in parts} == {"insufficient data"}
    assert report.signals == frozenset()


def test_features_and_scores_share_one_false_alarm_rate(report_of: ReportOf, examples: Any) -> None:
    report = report_of(examples.rows())
    assert report.false_alarm_rate == MonitorPolicy().false_alarm_rate
    columns = (*report.data_drift.columns, *report.prediction_drift.columns)
    resamples = {measure.p_value for column in columns for measure in column.measures}
    # 3 columns with 2 tests each at 1 %: five exceedances of 1 in 600 need 3,000 resamples.
    assert all((p_value * 3000) == pytest.approx(round(p_value * 3000)) for p_value in resamples)


def test_the_same_window_gives_the_same_digest_wherever_its_page_is(
    report_of: ReportOf, examples: Any
) -> None:
    report = report_of(examples.rows())
    elsewhere = report.model_copy(update={"page": "toy/drift/other/report.html", "evidently": "x.html"})
    assert report_of(examples.rows()).digest() == report.digest() == elsewhere.digest()
    assert report_of(examples.rows(seed=1)).digest() != report.digest()


def test_a_report_survives_json_and_holds_only_finite_numbers(report_of: ReportOf, examples: Any) -> None:
    rows = examples.rows().set_column(1, "amount", pa.array([float("inf"), float("nan")] * 200))
    report = report_of(rows)
    text = json.dumps(report.model_dump(mode="json"), allow_nan=False)
    assert MonitorReport.model_validate_json(text) == report


def test_a_missing_and_a_retyped_column_are_findings(report_of: ReportOf, examples: Any) -> None:
    rows = examples.rows()
    colours = pa.array(range(rows.num_rows))
    report = report_of(rows.set_column(2, "colour", colours))
    assert report.data_drift.verdict is Verdict.DRIFT
    assert {finding.kind for finding in report.findings} == {FindingKind.RETYPED_COLUMN}


class Watched(NamedTuple):
    watch: Callable[[], MonitorReport]
    reports: ReportStore
    scored: ScoredPartition


@pytest.fixture
def watched(
    scored: Callable[..., Any],
    store: SnapshotStore,
    tracking: MlflowClient,
    new_run: Callable[[], str],
    tmp_path: Path,
    examples: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Watched:
    """A scored window whose version's profile is in MLflow; Evidently answers at once."""
    run_id = new_run()
    held_out = examples.rows(1000, seed=99)
    profile, sample = build_profile(
        examples.pipeline(),
        rows=held_out,
        predictions=examples.sigmoid().predict(held_out.to_pandas()),
        model=examples.model(),
        report=examples.evaluation(),
    )
    log_profile(tracking, run_id, profile=profile, sample=sample)
    answer, _ = scored(examples.rows(shift=2.0))
    version = examples.version.model_copy(update={"run_id": run_id})
    answer = answer.model_copy(update={"version": version})
    reports = ReportStore(tmp_path / "reports")
    monkeypatch.setattr(monitor, "render_evidently", lambda *_, **__: "<p>charts</p>")
    return Watched(
        lambda: watch(
            examples.pipeline(),
            scored=answer,
            store=store,
            tracking_uri=tracking.tracking_uri,
            reports=reports,
            report_key="run 1",
        ),
        reports,
        answer,
    )


def test_the_report_and_its_pages_are_kept_with_the_versions_run(
    watched: Watched, tracking: MlflowClient
) -> None:
    report = watched.watch()
    folder = f"monitoring/2013-07/{report.digest()[:16]}"
    kept = {file.path for file in tracking.list_artifacts(report.run_id, folder)}
    assert kept == {f"{folder}/{name}" for name in ("report.json", "report.html", "evidently.html")}
    assert report.evidently is not None
    assert watched.reports.path(report.evidently).read_text() == "<p>charts</p>"
    assert report.page == page_path("toy", report_key="run 1")
    assert report.digest() in watched.reports.path(report.page).read_text()


def test_watching_again_gives_the_same_report_and_adds_nothing(
    watched: Watched, tracking: MlflowClient
) -> None:
    first = watched.watch()
    files = sorted(watched.reports.root.rglob("*.html"))
    assert watched.watch() == first
    assert sorted(watched.reports.root.rglob("*.html")) == files
    assert len(tracking.list_artifacts(first.run_id, "monitoring/2013-07")) == 1


def test_without_evidentlys_page_the_verdict_is_the_same(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = watched.watch()
    monkeypatch.setattr(monitor, "render_evidently", lambda *_, **__: None)
    second = watched.watch()
    assert second.evidently is None
    assert second.digest() == first.digest()


def test_a_window_of_another_pipeline_is_refused(
    watched: Watched, store: SnapshotStore, tracking: MlflowClient, examples: Any
) -> None:
    with pytest.raises(DeclarationError, match="the window was scored for 'toy', given was 'other'"):
        watch(
            examples.pipeline(name="other"),
            scored=watched.scored,
            store=store,
            tracking_uri=tracking.tracking_uri,
            reports=watched.reports,
            report_key="run 1",
        )
