"""The contract that every runner keeps, wherever it runs a job."""

from collections.abc import Callable

import numpy as np
import pytest

import toy_models
from mlops_core.errors import DeclarationError
from mlops_core.runners import InProcess
from mlops_core.training.job import TrainJob
from mlops_core.training.runners import RUNNERS, Runner, find_runner
from trained_models import load_trained

MakeJob = Callable[..., TrainJob]

DECLARED = {"in_process": InProcess()}


@pytest.fixture(params=DECLARED)
def runner(request: pytest.FixtureRequest) -> Runner:
    return find_runner(DECLARED[request.param])


def test_a_runner_answers_with_a_model_that_can_be_loaded(runner: Runner, make_job: MakeJob) -> None:
    job = make_job()

    result = runner.run(job)

    model = load_trained(result, job)
    assert np.isfinite(model.predict(toy_models.load("2013-03").to_pandas()).scores).all()
    assert result.candidate == job.candidate
    assert result.parameters == job.parameters


def test_the_same_job_again_gives_the_same_result(runner: Runner, make_job: MakeJob) -> None:
    assert runner.run(make_job()) == runner.run(make_job())


def test_a_runner_raises_what_the_job_raises(runner: Runner, make_job: MakeJob) -> None:
    with pytest.raises(DeclarationError, match="no candidate 'forest'"):
        runner.run(make_job(candidate="forest"))


def test_every_kind_of_runner_keeps_the_contract() -> None:
    assert {declared.kind for declared in DECLARED.values()} == set(RUNNERS)


@pytest.mark.parametrize("kind", ["moon", "docker"])
def test_an_unknown_runner_is_refused_with_what_there_is(kind: str) -> None:
    unknown = InProcess.model_construct(kind=kind)  # type: ignore[arg-type]

    with pytest.raises(DeclarationError, match=f"unknown runner '{kind}'; known runners: in_process"):
        find_runner(unknown)
