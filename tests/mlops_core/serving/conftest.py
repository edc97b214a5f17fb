"""A small real model, and the documents that say it is deployed."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from mlops_core.evaluation.catalogue import Task
from mlops_core.models.records import RecordsSchema
from mlops_core.models.stored import LoadedModel
from mlops_core.registry.records import Deployment, VersionRecord
from mlops_core.serving.app import create_app
from mlops_core.serving.follower import Follower
from mlops_core.serving.metrics import ServerMetrics
from mlops_core.serving.prediction import ServedModel
from mlops_core.serving.settings import ServerSettings

FEATURES = {"distance": "double", "carrier": "string", "is_weekend": "boolean"}


class MakeDeployment(Protocol):
    def __call__(
        self, version: int = 1, *, model: str = "flights", revision: int | None = None
    ) -> Deployment: ...


def _deployment(version: int = 1, *, model: str = "flights", revision: int | None = None) -> Deployment:
    return Deployment(
        model=model,
        version=VersionRecord(
            model=model,
            version=version,
            digest=f"{version:064x}",
            uri=f"models:/m-{version}",
            run_id=f"run-{version}",
            evidence_digest="e" * 64,
        ),
        generation=1,
        revision=version if revision is None else revision,
        operation_key=f"deploy/{model}/{version}",
        actor="a test",
        at=datetime(2024, 1, 1, tzinfo=UTC),
    )


@pytest.fixture(scope="session")
def deployment_of() -> MakeDeployment:
    """Make a deployment of a version; its revision is the version unless given."""
    return _deployment


@pytest.fixture(scope="session")
def model() -> LoadedModel:
    """A binary classifier of three features, fitted in milliseconds."""
    random = np.random.default_rng(0)
    rows = 80
    frame = pd.DataFrame(
        {
            "distance": random.uniform(100, 3000, rows),
            "carrier": pd.Series(random.choice(["AA", "UA"], rows), dtype="str"),
            "is_weekend": random.integers(0, 2, rows).astype("float64"),
        }
    )
    estimator = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="error", sparse_output=False), ["carrier"]), remainder="passthrough"
        ),
        HistGradientBoostingClassifier(max_iter=20),
    ).fit(frame, (frame["distance"] > 1000).astype(int))
    return LoadedModel(
        task=Task.BINARY_CLASSIFICATION,
        features=FEATURES,
        classes=(0, 1),
        input_example=frame.head(3),
        digest=f"{1:064x}",
        estimator=estimator,
    )


@pytest.fixture
def serve(model: LoadedModel) -> Callable[[Deployment], ServedModel]:
    """Load any deployment as the small model."""

    def load(deployment: Deployment) -> ServedModel:
        return ServedModel(
            version=deployment.version, model=model, schema=RecordsSchema(model.features, max_records=100)
        )

    return load


@pytest.fixture
def metrics() -> ServerMetrics:
    return ServerMetrics()


@pytest.fixture
def deployments() -> list[Deployment]:
    """What the ledger says; a test changes it."""
    return [_deployment()]


@pytest.fixture
def follower(
    deployments: list[Deployment], serve: Callable[[Deployment], ServedModel], metrics: ServerMetrics
) -> Follower:
    """A follower that looks at the ledger when the test says so."""
    return Follower(deployments=lambda: tuple(deployments), load=serve, metrics=metrics)


@pytest.fixture
def client(follower: Follower, metrics: ServerMetrics) -> Iterator[TestClient]:
    """The application without its follower's thread, with one look at the ledger taken."""
    follower.follow_once()
    settings = ServerSettings(max_body_bytes=20_000, max_records=100, prediction_threads=2)
    app = create_app(follower, settings=settings, metrics=metrics)
    client = TestClient(app, raise_server_exceptions=False)
    yield client
    client.close()
