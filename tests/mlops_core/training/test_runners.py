"""The contract that every runner keeps, wherever it runs a job."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import toy_models
from mlops_core.errors import DeclarationError
from mlops_core.models.stored import load_model
from mlops_core.runners import Docker, InProcess
from mlops_core.tracking import tracking_client
from mlops_core.training.job import TrainJob
from mlops_core.training.runners import RUNNERS, InProcessRunner, Runner, find_runner
from training_containers import set_training_variables

MakeJob = Callable[..., TrainJob]

DECLARED = {
    "in_process": InProcess(),
    "docker": Docker(memory_mb=1024, cpus=2),
}
TWO_PROCESSES = Docker(memory_mb=2048, cpus=2, processes=2)
PLACES = [pytest.param(name, marks=[pytest.mark.integration] * (name != "in_process")) for name in DECLARED]


@pytest.fixture(params=PLACES)
def runner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Runner:
    declared = {**DECLARED, "two processes": TWO_PROCESSES}[request.param]
    if isinstance(declared, Docker):
        image = request.getfixturevalue("python_image")
        set_training_variables(monkeypatch, image, Path(request.getfixturevalue("data_uri")))
    return find_runner(declared)


@pytest.fixture
def make_job(make_job: MakeJob, runner: Runner, request: pytest.FixtureRequest) -> MakeJob:
    """Make a job that its runner can track: a container sees the server, and no files of this machine."""
    if isinstance(runner, InProcessRunner):
        return make_job
    server = request.getfixturevalue("mlflow_server").uri
    return lambda **fields: make_job(tracking_uri=server, **fields)


def test_a_runner_answers_with_a_model_that_can_be_loaded(runner: Runner, make_job: MakeJob) -> None:
    job = make_job()

    result = runner.run(job)

    model = load_model(result.model, tracking_uri=job.tracking_uri)
    assert np.isfinite(model.predict(toy_models.load("2013-03").to_pandas()).scores).all()
    assert result.candidate == job.candidate
    assert result.parameters == job.parameters


def test_the_same_job_again_gives_the_same_result(runner: Runner, make_job: MakeJob) -> None:
    assert runner.run(make_job()) == runner.run(make_job())


@pytest.mark.parametrize(
    "runner", [pytest.param("two processes", marks=pytest.mark.integration)], indirect=True
)
def test_of_several_processes_one_answers(runner: Runner, make_job: MakeJob) -> None:
    job = make_job()

    result = runner.run(job)

    client = tracking_client(job.tracking_uri)
    experiment = client.get_experiment_by_name(job.pipeline)
    runs = client.search_runs([experiment.experiment_id], f"tags.`mlops.caused_by` = '{job.operation_key}'")
    assert [run.info.run_id for run in runs] == [result.run_id]


def test_a_runner_raises_what_the_job_raises(runner: Runner, make_job: MakeJob) -> None:
    with pytest.raises(DeclarationError, match="no candidate 'forest'"):
        runner.run(make_job(candidate="forest"))


def test_every_kind_of_runner_keeps_the_contract() -> None:
    assert {declared.kind for declared in DECLARED.values()} == set(RUNNERS)


def test_an_unknown_runner_is_refused_with_what_there_is() -> None:
    unknown = InProcess.model_construct(kind="moon")  # type: ignore[arg-type]

    with pytest.raises(DeclarationError, match="unknown runner 'moon'; known runners: docker, in_process"):
        find_runner(unknown)
