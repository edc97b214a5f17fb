"""A search is declared with ranges that can be searched, or refused with words."""

from collections.abc import Callable
from typing import Any

import pytest

import tuning_models
from mlops_core.errors import DeclarationError
from mlops_core.pipeline import Candidate, Pipeline
from mlops_core.runners import Docker
from mlops_core.search import Choice, Float, Integer, Search

RANGES: dict[str, Any] = {"value": Float(low=0, high=1)}


def pipeline(**fields: Any) -> Pipeline:
    return Pipeline(
        name="constant",
        task="regression",
        loader="tuning_models:load",
        target="value",
        candidates=(Candidate(name="one", fit="tuning_models:fit_constant", **fields),),
        gates=tuning_models.PIPELINE.gates,
    )


def test_a_search_survives_json_with_the_types_of_its_choices() -> None:
    search = Search(
        parameters={
            "rate": Float(low=0.01, high=0.3, log=True),
            "leaves": Integer(low=8, high=128),
            "kind": Choice((1, True, 1.5, "a", None)),
        }
    )

    again = Search.model_validate_json(search.model_dump_json())

    assert again == search
    kind = again.parameters["kind"]
    assert isinstance(kind, Choice)
    assert [type(value) for value in kind.values] == [int, bool, float, str, type(None)]


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: Float(low=1, high=1), r"low must lie below high \(got low=1, high=1\)"),
        (lambda: Float(low=0, high=1, log=True), "a log range needs a low of more than 0"),
        (lambda: Float(low=0, high=float("inf")), "finite"),
        (lambda: Integer(low=0, high=9, log=True), "a log range needs a low of at least 1"),
        (lambda: Integer(low=1.5, high=9), "low: .*integer"),
        (lambda: Choice(("a",)), "values: give at least 2"),
        (lambda: Choice(("a", "a")), "name each value once"),
        (
            lambda: Choice(("a", [1])),
            "values.1: one of several values is a number, a text, a boolean or None",
        ),
        (lambda: Search(parameters={}), "parameters: give at least 1"),
        (lambda: Search(parameters={"seed": Float(low=0, high=1)}), "the train job itself passes"),
        (lambda: Search(parameters=RANGES, folds=1), "folds: .*greater than or equal to 2"),
        (lambda: Search(parameters=RANGES, trials=0), "trials: .*greater than or equal to 1"),
        (lambda: Search(parameters=RANGES, timeout_seconds=0), "timeout_seconds: .*greater than 0"),
    ],
)
def test_what_cannot_be_searched_is_refused(declare: Callable[[], object], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        declare()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cross_validation": 1}, "cross_validation: give 2 to 20 folds, or 0 for no cross-validation"),
        ({"cross_validation": 21}, "cross_validation: give 2 to 20 folds"),
        (
            {"search": Search(parameters=RANGES), "parameters": {"value": 3}},
            "candidates.0.search.parameters: 'value' is declared in parameters too; leave it in one of both",
        ),
        (
            {"search": Search(parameters=RANGES, metric="mea")},
            "candidates.0.search.metric: unknown metric 'mea'; known metrics: ",
        ),
        (
            {"search": Search(parameters=RANGES, metric="roc_auc")},
            "candidates.0.search.metric: 'roc_auc' does not judge regression; use mae, mse, r2",
        ),
        (
            {"search": Search(parameters=RANGES), "runner": Docker(nodes=2, processes=2)},
            "candidates.0.runner: a search or a cross-validation fits in one process; this one starts 4",
        ),
        (
            {"cross_validation": 2, "runner": Docker(gpus=2)},
            "candidates.0.runner: a search or a cross-validation fits in one process; this one starts 2",
        ),
    ],
)
def test_what_does_not_fit_its_pipeline_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        pipeline(**fields)


def test_a_search_without_a_metric_is_judged_by_the_pipelines() -> None:
    search = Search(parameters=RANGES)

    assert search.judged_by("mae").metric == "mae"
    assert search.judged_by("mae").judged_by("mse").metric == "mae"
