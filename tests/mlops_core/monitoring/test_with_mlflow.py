"""A real model, trained, evaluated and scored, watched against a real MLflow server."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest

from mlops_core.data.snapshots import PublishedPartition, SnapshotStore
from mlops_core.errors import RegistryUnavailableError
from mlops_core.evaluation.evaluate import evaluate
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.monitoring.capture import capture_profile
from mlops_core.monitoring.monitor import MonitorReport, watch
from mlops_core.monitoring.policy import Answer, decide
from mlops_core.pipeline import Pipeline
from mlops_core.planning import TrainingRequest, plan_training
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.register import register
from mlops_core.reports import ReportStore
from mlops_core.scoring.batch import score_partition
from mlops_core.training.train import train
from servers import MlflowServer
from toy_models import BINARY, MULTICLASS, REGRESSION, load

pytestmark = pytest.mark.integration

_NUMBERS = count()
PARTITIONS = ("2013-01", "2013-02", "2013-03")


class Life(NamedTuple):
    """A pipeline whose first version is in production."""

    pipeline: Pipeline
    store: SnapshotStore
    ledger: Ledger
    reports: ReportStore
    uri: str
    evaluation: EvaluationReport

    def watch(self, published: PublishedPartition) -> MonitorReport:
        """Score a partition with the champion, and watch it."""
        scored = score_partition(
            self.pipeline,
            published=published,
            version=self.ledger.in_production(self.pipeline.name),
            store=self.store,
            tracking_uri=self.uri,
        )
        return watch(
            self.pipeline,
            scored=scored,
            store=self.store,
            tracking_uri=self.uri,
            reports=self.reports,
            report_key=f"monitor/{published.partition}",
        )

    def publish(self, partition: str, table: pa.Table) -> PublishedPartition:
        return self.store.write_partition(self.pipeline.name, partition, table)


@pytest.fixture(params=[BINARY, MULTICLASS, REGRESSION], ids=lambda pipeline: pipeline.task.value)
def life(request: pytest.FixtureRequest, tmp_path: Path, mlflow_server: MlflowServer) -> Iterator[Life]:
    declared: Pipeline = request.param
    # The server is shared by the session, so each test has a model of its own.
    pipeline = declared.model_copy(update={"name": f"watched_{next(_NUMBERS)}"})
    store = SnapshotStore(str(tmp_path / "data"))
    reports = ReportStore(tmp_path / "reports")
    for partition in PARTITIONS:
        store.write_partition(pipeline.name, partition, load(partition))
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        plan = plan_training(
            pipeline,
            request=TrainingRequest(requested_by="person", actor="ada", candidates=("trees",)),
            reference=f"toy_models:{declared.task.name}",
            store=store,
            ledger=ledger,
            tracking_uri=mlflow_server.uri,
            operation_key=f"{pipeline.name}/train",
        )
        report = evaluate(
            pipeline,
            plan=plan,
            results=[train(job, pipeline=pipeline) for job in plan.jobs],
            store=store,
            tracking_uri=mlflow_server.uri,
            reports=reports,
            report_key="evaluation",
        )
        version = register(
            report,
            ledger=ledger,
            tracking_uri=mlflow_server.uri,
            operation_key=f"{pipeline.name}/register",
            actor="ada",
        )
        ledger.promote(
            pipeline.name,
            version=version.version,
            expected_generation=0,
            operation_key="promote",
            evidence_digest=report.digest(),
            actor="ada",
            reason="first",
        )
        yield Life(pipeline, store, ledger, reports, mlflow_server.uri, report)


def test_a_window_like_the_training_shows_nothing_and_one_that_moved_asks_for_retraining(life: Life) -> None:
    profile = capture_profile(life.pipeline, report=life.evaluation, store=life.store, tracking_uri=life.uri)
    assert [column.name for column in profile.features] == ["amount", "colour", "count", "member"]

    quiet = life.watch(life.publish("2013-04", load("2013-04")))
    assert quiet.data_drift.verdict == "no drift"
    assert quiet.prediction_drift.verdict == "no drift"
    assert quiet.performance.value is not None
    assert quiet.evidently is not None
    assert "plotly" in life.reports.path(quiet.evidently).read_text().lower()

    moved = load("2013-05")
    amount = pa.array([None if value is None else value + 3 for value in moved["amount"].to_pylist()])
    drifted = life.watch(life.publish("2013-05", moved.set_column(1, "amount", amount)))
    assert "amount" in drifted.data_drift.drifted
    assert "prediction_drift" in drifted.signals

    answers = [
        decide(
            life.pipeline,
            report=report,
            ledger=life.ledger,
            store=life.store,
            operation_key=f"decide/{number}",
            now=datetime(2013, 6, 1, tzinfo=UTC),
        ).answer
        for number, report in enumerate((quiet, drifted, drifted))
    ]
    assert answers == [Answer.WAIT, Answer.RETRAIN, Answer.REFUSE]


@pytest.mark.parametrize("life", [BINARY], ids=["binary"], indirect=True)
def test_a_version_that_was_never_profiled_is_watched_all_the_same(
    life: Life, mlflow_server: MlflowServer
) -> None:
    published = life.publish("2013-04", load("2013-04"))
    first = life.watch(published)
    assert life.watch(published) == first
    with mlflow_server.down(), pytest.raises(RegistryUnavailableError):
        life.watch(published)
    assert life.watch(published) == first
