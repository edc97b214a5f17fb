"""A train job is one JSON document, and its digest says which model it asks for."""

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from mlops_core.search import Integer, Search
from mlops_core.training.job import SplitIdentity, TrainJob


def test_a_job_survives_json(make_job: Callable[..., TrainJob]) -> None:
    job = make_job(parameters={"nested": {"rates": [0.1, 0.2]}, "none": None})

    assert TrainJob.model_validate_json(job.model_dump_json()) == job


@pytest.mark.parametrize(
    "change",
    [
        {"operation_key": "another"},
        {"tracking_uri": "http://elsewhere"},
        {"data_uri": "/elsewhere"},
        {"run_id": "r"},
    ],
)
def test_where_and_why_a_job_runs_do_not_change_its_digest(
    make_job: Callable[..., TrainJob], change: dict[str, object]
) -> None:
    assert make_job(**change).digest() == make_job().digest()


@pytest.mark.parametrize("change", [{"seed": 4}, {"candidate": "line"}, {"parameters": {"iterations": 6}}])
def test_what_decides_the_model_changes_its_digest(
    make_job: Callable[..., TrainJob], change: dict[str, object]
) -> None:
    assert make_job(**change).digest() != make_job().digest()


def test_the_split_is_part_of_the_digest(make_job: Callable[..., TrainJob], split: SplitIdentity) -> None:
    other = split.model_copy(update={"training_partitions": ("2013-02",), "digest": "other"})

    assert make_job(split=other).digest() != make_job().digest()


def test_a_rehearsal_tries_a_search_and_folds_twice(make_job: Callable[..., TrainJob]) -> None:
    search = Search(parameters={"iterations": Integer(low=1, high=9)}, trials=30, folds=5)
    job = make_job(parameters={}, search=search, cross_validation=4)

    short = job.rehearsed()

    assert short.search is not None
    assert (short.search.trials, short.search.folds, short.cross_validation) == (2, 2, 2)
    assert short.search.parameters == search.parameters
    assert make_job().rehearsed() == make_job()


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"seed": 2**32},
        {"pipeline": "../toy"},
        {"candidate": ""},
        {"operation_key": ""},
        {"parameters": {"rate": float("nan")}},
        {"unknown": 1},
    ],
)
def test_a_wrong_field_is_refused(make_job: Callable[..., TrainJob], wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        make_job(**wrong)
