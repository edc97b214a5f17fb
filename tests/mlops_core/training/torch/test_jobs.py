"""A torch candidate goes through the train job as any other, also when it is killed or has company."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import torch_models
import torch_process
import toy_models
from mlops_core.errors import DeclarationError, EvaluationError, RegistryUnavailableError
from mlops_core.tracking import tracking_client
from mlops_core.training.context import CHECKPOINTS_VARIABLE
from mlops_core.training.failure import read_error
from mlops_core.training.job import TrainJob, TrainResult
from mlops_core.training.torch import progress
from mlops_core.training.train import train
from servers import MlflowServer
from trained_models import load_trained

if TYPE_CHECKING:
    from mlflow import MlflowClient

MakeJob = Callable[..., TrainJob]
FRAME = toy_models.load("2013-03").to_pandas()
SCRIPT = Path(torch_process.__file__)


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(tmp_path / "checkpoints"))
    return tmp_path / "checkpoints"


@pytest.fixture
def make_job(
    make_job: MakeJob,
    checkpoints: Path,  # noqa: ARG001  no test may write into the working directory
) -> MakeJob:
    usual = {"reference": "torch_models:BINARY", "candidate": "network", "parameters": {}}
    return lambda **fields: make_job(**{**usual, **fields})


def scores(result: TrainResult, job: TrainJob) -> np.ndarray:
    return load_trained(result, job).predict(FRAME).scores


def history(job: TrainJob, run_id: str, name: str) -> list[tuple[int, float]]:
    found = tracking_client(job.tracking_uri).get_metric_history(run_id, name)
    return sorted((metric.step, metric.value) for metric in found)


def start(
    arguments: list[str], *, processes: int = 1, **variables: str
) -> "subprocess.CompletedProcess[bytes]":
    launch = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}"]
    launch += ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1", **variables}
    return subprocess.run(
        [sys.executable, *(launch if processes > 1 else []), str(SCRIPT), *arguments],
        env={**environment, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_task_trains_and_its_model_predicts(make_job: MakeJob, checkpoints: Path, task: str) -> None:
    job = make_job(pipeline=f"toy_{task}", reference=f"torch_models:{task.upper()}")

    result = train(job)

    assert np.isfinite(scores(result, job)).all()
    assert [step for step, _ in history(job, result.run_id, progress.VALIDATION_LOSS)] == [1, 2, 3]
    assert not any(checkpoints.glob("*"))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model(make_job: MakeJob) -> None:
    first, second, other = make_job(operation_key="a"), make_job(operation_key="b"), make_job(seed=4)

    same = scores(train(first), first)

    np.testing.assert_array_equal(scores(train(second), second), same)
    assert (scores(train(other), other) != same).any()


@pytest.mark.parametrize(
    ("candidate", "error", "message"),
    [
        ("diverging", EvaluationError, "in epoch 1, step 1/11"),
        ("forgetful", DeclarationError, "predicts otherwise once it is built again"),
        ("stubborn", DeclarationError, "cannot be built again from its config"),
    ],
)
def test_a_fit_that_goes_wrong_fails_the_run_and_keeps_no_checkpoint(
    make_job: MakeJob, checkpoints: Path, candidate: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train(make_job(candidate=candidate))

    assert not any(checkpoints.glob("*"))


@pytest.mark.slow
def test_a_job_that_is_ended_goes_on_from_its_checkpoint_and_sends_no_epoch_twice(
    make_job: MakeJob, checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    undisturbed = make_job(operation_key="undisturbed")
    expected = train(undisturbed)
    job = make_job()
    passes: list[int] = []

    def interrupt() -> None:
        passes.append(1)
        if len(passes) == 30:
            raise KeyboardInterrupt

    monkeypatch.setattr(torch_models, "during_forward", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(job)
    assert any(checkpoints.rglob("*.checkpoint"))

    # when
    result = train(job)

    # then: 36 forward passes in all, of which those after the checkpoint were repeated
    assert len(passes) - 30 < 20
    np.testing.assert_array_equal(scores(result, job), scores(expected, undisturbed))
    for name in (progress.TRAINING_LOSS, progress.VALIDATION_LOSS):
        assert history(job, result.run_id, name) == history(undisturbed, expected.run_id, name)
    assert not any(checkpoints.glob("*"))


def test_a_server_that_is_away_during_the_fit_gets_the_epochs_at_its_end(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, calls = make_job(), []
    send = progress.MetricsReporter._send

    def fail_first(self: progress.MetricsReporter, *arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RegistryUnavailableError("away")
        send(self, *arguments)

    monkeypatch.setattr(progress.MetricsReporter, "_send", fail_first)

    result = train(job)

    assert [step for step, _ in history(job, result.run_id, progress.TRAINING_LOSS)] == [1, 2, 3]
    assert len(calls) == 2


@pytest.mark.integration
def test_a_killed_process_is_completed_with_the_very_same_model(
    make_job: MakeJob, mlflow_server: MlflowServer, checkpoints: Path, tmp_path: Path
) -> None:
    # given
    undisturbed = make_job(operation_key=f"{tmp_path.name}/undisturbed", tracking_uri=mlflow_server.uri)
    expected = train(undisturbed)
    job = make_job(tracking_uri=mlflow_server.uri)
    (tmp_path / "job.json").write_text(job.model_dump_json())
    files = [str(tmp_path / "job.json"), str(tmp_path / "result.json")]
    killed = start(["job", *files, "30"])
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert any(checkpoints.rglob("*.checkpoint"))

    # when
    resumed = start(["job", *files, "0"])

    # then
    assert resumed.returncode == 0, resumed.stderr.decode()
    assert b"the fit goes on in epoch 3 after step 4" in resumed.stderr
    result = TrainResult.model_validate_json(Path(files[1]).read_text())
    np.testing.assert_array_equal(scores(result, job), scores(expected, undisturbed))
    assert history(job, result.run_id, progress.VALIDATION_LOSS) == history(
        undisturbed, expected.run_id, progress.VALIDATION_LOSS
    )
    assert not any(checkpoints.glob("*"))


@pytest.mark.integration
def test_two_processes_end_with_the_same_weights_as_one(tmp_path: Path) -> None:
    answer = start(["fit", str(tmp_path)], processes=2)

    assert answer.returncode == 0, answer.stderr.decode()
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    alone = torch_process.fit_alone(seed=0).state_dict()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name])
        torch.testing.assert_close(tensor, alone[name], rtol=1e-3, atol=1e-4)


@pytest.mark.integration
def test_two_processes_go_on_together_though_each_draws_first_weights_of_its_own(tmp_path: Path) -> None:
    first = start(["fit", str(tmp_path)], processes=2)
    expected = torch.load(tmp_path / "0.pt", weights_only=True)

    second = start(["fit", str(tmp_path)], processes=2)

    assert (first.returncode, second.returncode) == (0, 0), second.stderr.decode()
    assert second.stderr.count(b"the fit goes on in epoch 4 after step 0") == 2
    for rank in (0, 1):
        again = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert all(torch.equal(again[name], tensor) for name, tensor in expected.items())


@pytest.mark.integration
def test_two_processes_of_one_job_make_one_run_and_one_model(
    make_job: MakeJob, mlflow_server: MlflowServer, checkpoints: Path, tmp_path: Path
) -> None:
    # given
    job = make_job(tracking_uri=mlflow_server.uri)
    (tmp_path / "job.json").write_text(job.model_dump_json())
    files = [str(tmp_path / "job.json"), str(tmp_path / "result.json")]

    # when: it is run, and run again once it is finished
    answers = [start(["job", *files, "0"], processes=2) for _ in range(2)]

    # then
    assert [answer.returncode for answer in answers] == [0, 0], answers[0].stderr.decode()[-3000:]
    assert b"is finished; its result is handed out again" in answers[1].stderr
    result = TrainResult.model_validate_json(Path(files[1]).read_text())
    client: MlflowClient = tracking_client(job.tracking_uri)
    run = client.get_run(result.run_id)
    assert run.info.status == "FINISHED"
    models = client.search_logged_models(
        [run.info.experiment_id], filter_string=f"source_run_id = '{result.run_id}'"
    )
    assert [model.model_id for model in models] == [result.model.model_id]
    assert [step for step, _ in history(job, result.run_id, progress.TRAINING_LOSS)] == [1, 2, 3]
    assert np.isfinite(scores(result, job)).all()
    assert not any(checkpoints.glob("*"))


@pytest.mark.integration
def test_a_server_that_does_not_answer_ends_every_process(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job(tracking_uri="http://127.0.0.1:9")
    (tmp_path / "job.json").write_text(job.model_dump_json())
    files = [str(tmp_path / "job.json"), str(tmp_path / "result.json")]

    answer = start(["job", *files, "0"], processes=2, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0")

    assert answer.returncode != 0
    assert b"RegistryUnavailableError" in answer.stderr
    assert b"the first process of this job has failed" in answer.stderr
    assert not Path(files[1]).exists()


@pytest.mark.integration
def test_a_refusal_that_every_process_meets_is_told_to_a_slow_server(
    make_job: MakeJob, mlflow_server: MlflowServer, checkpoints: Path, tmp_path: Path
) -> None:
    # given: torchrun looks ten times a second whether a process has failed, and ends the others
    job = make_job(candidate="diverging", tracking_uri=mlflow_server.uri)
    (tmp_path / "job.json").write_text(job.model_dump_json())
    files = [str(tmp_path / "job.json"), str(tmp_path / "result.json")]

    # when
    answer = start(["job", *files, "0"], processes=2, SLOW_END_SECONDS="6")

    # then
    assert answer.returncode != 0
    client: MlflowClient = tracking_client(job.tracking_uri)
    experiment = client.get_experiment_by_name(job.pipeline)
    runs = client.search_runs([experiment.experiment_id], f"tags.`mlops.caused_by` = '{job.operation_key}'")
    assert [run.info.status for run in runs] == ["FAILED"], answer.stderr.decode()[-3000:]
    assert b"the first process of this job has failed, as this one: the loss is" in answer.stderr
    assert isinstance(read_error((tmp_path / "result.error.json").read_bytes()), EvaluationError)
    assert not any(checkpoints.glob("*"))
