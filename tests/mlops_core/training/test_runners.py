"""The contract that every runner keeps, wherever it runs a job."""

from collections.abc import Callable

import numpy as np
import pytest

import toy_models
from mlops_core.errors import DeclarationError
from mlops_core.models.stored import load_model
from mlops_core.training.job import TrainJob
from mlops_core.training.runners import RUNNERS, Runner, find_runner

MakeJob = Callable[..., TrainJob]


@pytest.fixture(params=sorted(RUNNERS))
def runner(request: pytest.FixtureRequest) -> Runner:
    return find_runner(request.param)


def test_a_runner_answers_with_a_model_that_can_be_loaded(runner: Runner, make_job: MakeJob) -> None:
    job = make_job()

    result = runner.run(job)

    model = load_model(result.model, tracking_uri=job.tracking_uri)
    assert np.isfinite(model.predict(toy_models.load("2013-03").to_pandas()).scores).all()
    assert result.candidate == job.candidate
    assert result.parameters == job.parameters


def test_the_same_job_again_gives_the_same_result(runner: Runner, make_job: MakeJob) -> None:
    assert runner.run(make_job()) == runner.run(make_job())


def test_a_runner_raises_what_the_job_raises(runner: Runner, make_job: MakeJob) -> None:
    with pytest.raises(DeclarationError, match="no candidate 'forest'"):
        runner.run(make_job(candidate="forest"))


def test_an_unknown_runner_is_refused_with_what_there_is() -> None:
    with pytest.raises(DeclarationError, match="unknown runner 'moon'; known runners: in_process"):
        find_runner("moon")
