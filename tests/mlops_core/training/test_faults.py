"""A train job survives the loss of its server, of a reply, and of its own process."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

import odd_models
import toy_models
from mlops_core.errors import RegistryUnavailableError, UntrustedModelError
from mlops_core.tracking import tracking_client
from mlops_core.training import run as tracked
from mlops_core.training import train as training
from mlops_core.training.__main__ import SUCCEEDED, main
from mlops_core.training.job import TrainJob, TrainResult
from mlops_core.training.train import train
from servers import MlflowServer
from trained_models import load_trained

pytestmark = pytest.mark.integration
MakeJob = Callable[..., TrainJob]


@pytest.fixture
def job(make_job: MakeJob, mlflow_server: MlflowServer, monkeypatch: pytest.MonkeyPatch) -> TrainJob:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return make_job(
        reference="odd_models:ODD", candidate="with_visitor", parameters={}, tracking_uri=mlflow_server.uri
    )


@pytest.fixture
def client(mlflow_server: MlflowServer) -> MlflowClient:
    return tracking_client(mlflow_server.uri)


def runs_of(client: MlflowClient, job: TrainJob) -> list[Run]:
    experiment = client.get_experiment_by_name(job.pipeline)
    if experiment is None:
        return []
    found = client.search_runs([experiment.experiment_id])
    return [run for run in found if run.data.tags.get("mlops.caused_by") == job.operation_key]


def models_of(client: MlflowClient, run: Run) -> list[str]:
    found = client.search_logged_models(
        [run.info.experiment_id], filter_string=f"source_run_id = '{run.info.run_id}'"
    )
    return [model.model_id for model in found]


def assert_one_run_with_one_model(client: MlflowClient, job: TrainJob, result: TrainResult) -> None:
    [run] = runs_of(client, job)
    assert run.info.run_id == result.run_id
    assert run.info.status == "FINISHED"
    assert models_of(client, run) == [result.model.model_id]
    model = load_trained(result, job)
    assert np.isfinite(model.predict(toy_models.load("2013-03").to_pandas()).scores).all()


def test_a_server_that_is_down_from_the_start_is_waited_for(
    job: TrainJob, mlflow_server: MlflowServer, client: MlflowClient
) -> None:
    with mlflow_server.down(), pytest.raises(RegistryUnavailableError):
        train(job)

    assert_one_run_with_one_model(client, job, train(job))


def test_a_server_that_goes_down_during_the_fit_costs_no_second_run(
    job: TrainJob, mlflow_server: MlflowServer, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: the server is lost while the model is fitted
    monkeypatch.setattr(odd_models, "during_fit", mlflow_server.stop)
    try:
        with pytest.raises(RegistryUnavailableError):
            train(job)
        # and is still away at the first retry
        with pytest.raises(RegistryUnavailableError):
            train(job)
    finally:
        mlflow_server.start()
    monkeypatch.setattr(odd_models, "during_fit", list)

    # when
    result = train(job)

    # then
    assert_one_run_with_one_model(client, job, result)


@pytest.mark.parametrize("step", ["log_dataset", "log_model", "log_result", "finish_run"])
def test_a_server_that_is_away_at_any_step_costs_no_second_run(
    job: TrainJob, client: MlflowClient, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    # given: the address answers nobody from that step on
    module: Any = training if step in {"log_model", "finish_run"} else tracked
    call = getattr(module, step)

    def unreachable(*args: Any, **kwargs: Any) -> Any:
        dead = tracking_client("http://127.0.0.1:9")
        return call(dead, *args[1:], **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(module, step, unreachable)
        with pytest.raises(RegistryUnavailableError):
            train(job)

    # when
    result = train(job)

    # then
    assert_one_run_with_one_model(client, job, result)


@pytest.mark.parametrize("step", ["fit", "training_metrics", "finish_run"])
def test_a_killed_process_leaves_one_run_for_its_retry(
    job: TrainJob, client: MlflowClient, tmp_path: Path, step: str
) -> None:
    # given
    paths = [str(tmp_path / name) for name in ("job.json", "result.json")]
    Path(paths[0]).write_text(job.model_dump_json())
    script = Path(odd_models.__file__).with_name("training_process.py")
    killed = subprocess.run(
        [sys.executable, str(script), *paths, step],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    [run] = runs_of(client, job)
    assert run.info.status == "RUNNING"
    assert not Path(paths[1]).exists()

    # when
    code = main(["--job", paths[0], "--result", paths[1]])

    # then
    assert code == SUCCEEDED
    result = TrainResult.model_validate_json(Path(paths[1]).read_text())
    assert result.run_id == run.info.run_id
    assert_one_run_with_one_model(client, job, result)


def test_a_file_that_was_changed_in_the_servers_store_is_refused(
    job: TrainJob, mlflow_server: MlflowServer
) -> None:
    result = train(job)
    [estimator] = mlflow_server.folder.rglob(f"{result.model.model_id}/artifacts/model.skops")
    content = bytearray(estimator.read_bytes())
    content[len(content) // 2] ^= 1
    estimator.write_bytes(content)

    with pytest.raises(UntrustedModelError, match="they were changed after they were stored"):
        load_trained(result, job)
