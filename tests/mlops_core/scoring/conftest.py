"""A published partition and small real models to score it with."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.evaluation.catalogue import Task
from mlops_core.models.stored import LoadedModel
from mlops_core.pipeline import AbsoluteGate, Candidate, Pipeline
from mlops_core.registry.records import VersionRecord

FEATURES = {"distance": "double", "delay": "double"}
METRICS = {
    Task.BINARY_CLASSIFICATION: "roc_auc",
    Task.MULTICLASS_CLASSIFICATION: "log_loss",
    Task.REGRESSION: "mae",
}


def _rows(count: int = 30) -> pa.Table:
    random = np.random.default_rng(0)
    return pa.table(
        {
            "flight": pa.array([f"flight-{number}" for number in range(count)]),
            "distance": random.uniform(0, 1, count),
            "delay": random.uniform(0, 1, count),
            "late": pa.array([None if number % 3 else number % 2 for number in range(count)]),
        }
    )


def _pipeline(task: Task = Task.BINARY_CLASSIFICATION, **fields: Any) -> Pipeline:
    bound = {"maximum": 5.0} if task is not Task.BINARY_CLASSIFICATION else {"minimum": 0.5}
    declared: dict[str, Any] = {
        "name": "flights",
        "task": task,
        "loader": "json:loads",
        "target": "late",
        "key": "flight",
        "candidates": (Candidate(name="linear", fit="json:loads"),),
        "gates": (AbsoluteGate(metric=METRICS[task], **bound),),
    }
    return Pipeline(**{**declared, **fields})


def _version(number: int = 1) -> VersionRecord:
    return VersionRecord(
        model="flights", version=number, digest=f"{number:064x}", uri=f"models:/m-{number}", run_id="run-1"
    )


def _model(task: Task = Task.BINARY_CLASSIFICATION, *, steepness: float = 1.0) -> LoadedModel:
    frame = _rows().select(list(FEATURES)).to_pandas()
    estimator: Any
    if task is Task.REGRESSION:
        estimator = LinearRegression().fit(frame, frame["distance"] * steepness)
    else:
        classes = [0, 1] if task is Task.BINARY_CLASSIFICATION else ["early", "late", "on time"]
        target = pd.cut(frame["distance"], len(classes), labels=False)
        estimator = LogisticRegression(C=steepness).fit(frame, np.array(classes)[target])
    return LoadedModel(
        task=task,
        features=FEATURES,
        classes=() if task is Task.REGRESSION else tuple(estimator.classes_.tolist()),
        input_example=frame.head(2),
        digest=f"{1:064x}",
        estimator=estimator,
    )


class Models:
    """Takes MLflow's place: what is loaded by version."""

    def __init__(self) -> None:
        self.by_version: dict[int, LoadedModel] = {1: _model()}

    def load(self, version: VersionRecord, *, tracking_uri: str) -> LoadedModel:
        assert tracking_uri == "http://127.0.0.1:5000"
        return self.by_version[version.version]


class Examples:
    """Makes what scoring is given."""

    rows = staticmethod(_rows)
    pipeline = staticmethod(_pipeline)
    version = staticmethod(_version)
    model = staticmethod(_model)


@pytest.fixture(scope="session")
def examples() -> Examples:
    return Examples()


@pytest.fixture
def store(tmp_path: Any) -> SnapshotStore:
    return SnapshotStore(str(tmp_path / "data"))


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Models:
    models = Models()
    monkeypatch.setattr("mlops_core.scoring.batch.load_version", models.load)
    return models
