"""Training metrics are finite and in range, or an error."""

import math
from typing import Any

import numpy as np
import pytest

import toy_models
from mlops_core.errors import EvaluationError
from mlops_core.models.loaded import LoadedModel
from mlops_core.pipeline import Pipeline
from mlops_core.training.metrics import checked_metrics, training_metrics
from mlops_core.training.rows import LabelledRows, labelled_rows


def fitted(pipeline: Pipeline) -> tuple[LoadedModel, LabelledRows]:
    rows = labelled_rows(toy_models.load("2013-01"), pipeline=pipeline)
    return wrap(toy_models.fit_trees(rows.features, rows.target, seed=1), pipeline, rows), rows


def wrap(estimator: Any, pipeline: Pipeline, rows: LabelledRows) -> LoadedModel:
    return LoadedModel.of(
        estimator, task=pipeline.task, features=rows.types, input_example=rows.features.head(1), digest=""
    )


class Diverged:
    """Predicts what a diverged fit predicts."""

    classes_ = np.array([False, True])

    def __init__(self, answer: float) -> None:
        self.answer = answer

    def predict(self, rows: Any) -> np.ndarray:
        return np.full(len(rows), self.answer)

    def predict_proba(self, rows: Any) -> np.ndarray:
        return np.full((len(rows), 2), self.answer)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(EvaluationError, match=r"metric 'anything' is (nan|inf|-inf), not a finite number"):
        checked_metrics({"fine": 1.0, "anything": value})


@pytest.mark.parametrize(("name", "value"), [("accuracy", 1.01), ("roc_auc", -0.01), ("mae", -1.0)])
def test_a_metric_outside_its_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(EvaluationError, match=f"metric '{name}' is {value}"):
        checked_metrics({name: value})


def test_metrics_in_range_pass_unchanged() -> None:
    assert checked_metrics({"accuracy": 1.0, "log_loss": 9.5, "mine": -3.0}) == {
        "accuracy": 1.0,
        "log_loss": 9.5,
        "mine": -3.0,
    }


def test_accuracy_is_the_share_of_right_labels() -> None:
    model, rows = fitted(toy_models.BINARY)

    metrics = training_metrics(model, rows, seed=0)

    right = model.predict(rows.features).labels == rows.target.to_numpy()
    assert metrics["accuracy"] == pytest.approx(right.mean())
    assert 0 < metrics["log_loss"] < math.log(2)


def test_log_loss_of_several_classes_uses_the_probability_of_the_true_one() -> None:
    model, rows = fitted(toy_models.MULTICLASS)

    scores = model.predict(rows.features).scores
    column = [model.classes.index(name) for name in rows.target]
    expected = -np.log(scores[np.arange(len(column)), column]).mean()
    assert training_metrics(model, rows, seed=0)["log_loss"] == pytest.approx(expected)


def test_regression_has_absolute_and_squared_errors() -> None:
    model, rows = fitted(toy_models.REGRESSION)

    error = model.predict(rows.features).labels - rows.target.to_numpy()
    assert training_metrics(model, rows, seed=0) == {
        "mae": pytest.approx(np.abs(error).mean()),
        "mse": pytest.approx((error**2).mean()),
    }


@pytest.mark.parametrize("answer", [math.nan, math.inf])
@pytest.mark.parametrize("pipeline", [toy_models.BINARY, toy_models.REGRESSION], ids=["binary", "regression"])
def test_predictions_that_are_not_finite_are_refused(pipeline: Pipeline, answer: float) -> None:
    rows = labelled_rows(toy_models.load("2013-01"), pipeline=pipeline)

    with pytest.raises(EvaluationError, match="are NaN or infinite"):
        training_metrics(wrap(Diverged(answer), pipeline, rows), rows, seed=0)


def test_probabilities_out_of_range_are_refused() -> None:
    rows = labelled_rows(toy_models.load("2013-01"), pipeline=toy_models.BINARY)

    with pytest.raises(EvaluationError, match="cannot be scored"):
        training_metrics(wrap(Diverged(2.0), toy_models.BINARY, rows), rows, seed=0)
