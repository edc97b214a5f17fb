"""A train job runs signed in, whatever the runner."""

import json
import os
from typing import Any

import pytest

from airflow_mlops.operators.training import TrainOperator
from mlops_core.training import runners


class SignedInError(Exception):
    """Carries the user name that a runner found."""


class Probe:
    """A runner that only looks at who it would sign in as."""

    def run(self, job: Any) -> Any:  # noqa: ARG002
        raise SignedInError(os.environ.get("MLFLOW_TRACKING_USERNAME"))


def test_the_credentials_of_the_connection_are_in_place_before_the_job_runs(
    monkeypatch: pytest.MonkeyPatch, train_job: dict[str, Any]
) -> None:
    connection = {
        "conn_type": "mlflow",
        "host": "http://127.0.0.1",
        "port": 1,
        "login": "ada",
        "password": "x",
    }
    monkeypatch.setenv("AIRFLOW_CONN_MLFLOW_DEFAULT", json.dumps(connection))
    for variable in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(variable, "nobody")
    monkeypatch.setattr(runners, "find_runner", lambda declared: Probe())  # noqa: ARG005
    operator = TrainOperator(task_id="train", pipeline="toy_models:BINARY", job=train_job)

    with pytest.raises(SignedInError, match="ada"):
        operator.step({})


@pytest.fixture
def train_job() -> dict[str, Any]:
    return {
        "pipeline": "toy_binary",
        "reference": "toy_models:BINARY",
        "candidate": "trees",
        "snapshot": {"table_uri": "/nowhere", "version": 0, "digest": "0" * 64},
        "split": {"training_partitions": ["a"], "holdout_partitions": ["b"], "digest": "0" * 64},
        "operation_key": "one",
        "tracking_uri": "http://127.0.0.1:1",
        "data_uri": "/nowhere",
    }
