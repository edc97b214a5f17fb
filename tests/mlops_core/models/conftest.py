"""One small fitted model a task."""

import pytest
from mlflow import MlflowClient

import toy_models
from mlops_core.models.stored import ModelRecord, log_model
from mlops_core.tracking import adopt_or_create_run, tracking_client
from mlops_core.training.rows import LabelledRows
from stored_examples import binary_rows, trees


@pytest.fixture
def rows() -> LabelledRows:
    return binary_rows()


@pytest.fixture
def estimator(rows: LabelledRows) -> object:
    return trees(rows)


@pytest.fixture
def client(local_tracking_uri: str) -> MlflowClient:
    return tracking_client(local_tracking_uri)


@pytest.fixture
def run_id(client: MlflowClient, request: pytest.FixtureRequest) -> str:
    return adopt_or_create_run(
        client, experiment="models", operation_key=request.node.nodeid, run_name="toy", tags={}
    )


@pytest.fixture
def record(client: MlflowClient, run_id: str, estimator: object, rows: LabelledRows) -> ModelRecord:
    return log_model(
        client,
        run_id=run_id,
        estimator=estimator,
        pipeline=toy_models.BINARY,
        input_example=rows.features.head(5),
    )
