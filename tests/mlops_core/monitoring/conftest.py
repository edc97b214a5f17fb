"""A model that needs no fitting, a window that it scored, and everything around them that is no server."""

import importlib
import warnings
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow import MlflowClient

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.report import EvaluationReport, Score
from mlops_core.models.loaded import LoadedModel, Predictions
from mlops_core.models.record import ModelRecord
from mlops_core.monitoring.monitor import Window, examine
from mlops_core.monitoring.profile import ReferenceProfile, build_profile, score_columns
from mlops_core.monitoring.report import MonitorReport
from mlops_core.pipeline import AbsoluteGate, Candidate, Pipeline
from mlops_core.scoring.batch import ScoredPartition
from mlops_core.tracking import tracking_client
from registry_examples import passed_report, version_record

FEATURES = {"amount": "double", "colour": "string"}
VERSION = version_record(1, model="toy", digest=sha256(b"model").hexdigest())
KNOWN_LABELS: dict[str, Any] = {}
"""What the labels' function of a test's pipeline returns, by partition."""


class Sigmoid:
    """Says how likely ``amount`` is to be positive, without being fitted."""

    def predict(self, frame: pd.DataFrame) -> Predictions:
        scores = 1 / (1 + np.exp(-2 * frame["amount"].fillna(0).to_numpy()))
        return Predictions(scores=scores, labels=scores > 0.5)


def labels(partition: str) -> Any:
    return KNOWN_LABELS[partition]


def _pipeline(**fields: Any) -> Pipeline:
    declared: dict[str, Any] = {
        "name": "toy",
        "task": Task.BINARY_CLASSIFICATION,
        "loader": "toy_models:load",
        "target": "positive",
        "key": "id",
        "candidates": (Candidate(name="sigmoid", fit="toy_models:fit_trees"),),
        "gates": (AbsoluteGate(metric="roc_auc", minimum=0.5),),
    }
    return Pipeline(**{**declared, **fields})


def _rows(count: int = 400, *, seed: int = 0, shift: float = 0.0, noise: float = 1.0) -> pa.Table:
    """Draw rows whose label follows ``amount``; the more noise, the less."""
    random = np.random.default_rng(seed)
    amount = random.normal(loc=shift, size=count)
    return pa.table(
        {
            "id": [f"{seed}-{number}" for number in range(count)],
            "amount": amount,
            "colour": random.choice(["red", "green", "blue"], count),
            "positive": amount + noise * random.normal(size=count) > shift,
        }
    )


def _predictions(rows: pa.Table) -> pa.Table:
    """Return what batch scoring makes of the rows."""
    said = Sigmoid().predict(rows.to_pandas())
    return pa.table({"key": rows["id"], **score_columns(said, classes=(False, True)), "label": said.labels})


def _model() -> LoadedModel:
    return LoadedModel(
        task=Task.BINARY_CLASSIFICATION,
        features=FEATURES,
        classes=(False, True),
        input_example=_rows(2).to_pandas(),
        digest=VERSION.digest,
        estimator=Sigmoid(),
    )


def _evaluation(**score: Any) -> EvaluationReport:
    stored = ModelRecord(run_id="run-1", model_id="m-1", uri=VERSION.uri, digest=VERSION.digest)
    report = passed_report(stored, pipeline="toy")
    scores = (Score(**{"metric": "roc_auc", "value": 0.8, "lower": 0.78, "upper": 0.82, **score}),)
    return report.model_copy(update={"challenger": report.challenger.model_copy(update={"scores": scores})})


def _profile(pipeline: Pipeline | None = None, *, rows: pa.Table | None = None) -> ReferenceProfile:
    held_out = _rows(4000, seed=99) if rows is None else rows
    profile, _ = build_profile(
        _pipeline() if pipeline is None else pipeline,
        rows=held_out,
        predictions=Sigmoid().predict(held_out.to_pandas()),
        model=_model(),
        report=_evaluation(),
    )
    return profile


class Examples:
    """Makes what the monitor is given."""

    version = VERSION
    known_labels = KNOWN_LABELS
    labels = f"{__name__}:labels"
    pipeline = staticmethod(_pipeline)
    rows = staticmethod(_rows)
    predictions = staticmethod(_predictions)
    model = staticmethod(_model)
    sigmoid = Sigmoid
    evaluation = staticmethod(_evaluation)
    profile = staticmethod(_profile)


@pytest.fixture(scope="session")
def examples() -> Examples:
    return Examples()


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    """MLflow without a server: its database is a file, and so are its artifacts."""
    with warnings.catch_warnings():
        # MLflow's own tables use what SQLAlchemy 2.1 deprecates.
        warnings.simplefilter("ignore")
        importlib.import_module("mlflow.store.tracking.sqlalchemy_store")
    folder = tmp_path_factory.mktemp("tracking")
    client = tracking_client(f"sqlite:///{folder / 'mlflow.db'}")
    client.create_experiment("toy", artifact_location=f"file://{folder / 'artifacts'}")
    return client


@pytest.fixture
def new_run(tracking: MlflowClient) -> Callable[[], str]:
    def create() -> str:
        experiment = tracking.get_experiment_by_name("toy")
        assert experiment is not None
        return str(tracking.create_run(experiment.experiment_id).info.run_id)

    return create


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(str(tmp_path / "data"))


@pytest.fixture
def scored(store: SnapshotStore) -> Callable[..., tuple[ScoredPartition, Window]]:
    """Publish rows and their predictions, and return what scoring answers, with both tables."""

    def publish(
        rows: pa.Table, *, partition: str = "2013-07", predictions: pa.Table | None = None
    ) -> tuple[ScoredPartition, Window]:
        said = _predictions(rows) if predictions is None else predictions
        answer = ScoredPartition(
            pipeline="toy",
            partition=partition,
            version=VERSION,
            source=store.write_partition("toy", partition, rows),
            predictions=store.write_partition("toy/predictions", partition, said),
            rows=rows.num_rows,
        )
        return answer, Window(rows=rows, predictions=said)

    return publish


@pytest.fixture
def report_of(
    scored: Callable[..., tuple[ScoredPartition, Window]], examples: Examples
) -> Callable[..., MonitorReport]:
    """Return the monitor report of some rows, without a server."""

    def report(
        rows: pa.Table, *, pipeline: Pipeline | None = None, partition: str = "2013-07"
    ) -> MonitorReport:
        answer, window = scored(rows, partition=partition)
        return examine(
            _pipeline() if pipeline is None else pipeline,
            scored=answer,
            profile=examples.profile(),
            window=window,
            page="toy/drift/key/report.html",
        )

    return report
