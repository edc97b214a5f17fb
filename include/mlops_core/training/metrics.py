"""How well a model fits the rows it was fitted on. It flatters; only held-out rows decide."""

import math
from collections.abc import Mapping

import numpy as np

from mlops_core.errors import EvaluationError, UnknownMetricError
from mlops_core.evaluation.catalogue import Task, find_metric
from mlops_core.models.loaded import LoadedModel, Predictions
from mlops_core.training.rows import LabelledRows

_MOST_ROWS = 20_000


def training_metrics(model: LoadedModel, rows: LabelledRows, *, seed: int) -> dict[str, float]:
    """Score a model on its own training rows, on a sample of 20,000 where there are more.

    Returns
    -------
    By metric's name; each is finite and in its metric's range.

    Raises
    ------
    EvaluationError
        If one is not.
    """
    features, target = rows.features, rows.target
    if len(target) > _MOST_ROWS:
        sample = np.sort(np.random.default_rng(seed).choice(len(target), _MOST_ROWS, replace=False))
        features, target = features.iloc[sample], target.iloc[sample]
    predictions = model.predict(features)
    wrong = int((~np.isfinite(predictions.scores)).sum())
    if wrong:
        raise EvaluationError(
            f"{wrong} of {predictions.scores.size} predictions on training rows are NaN or infinite: "
            "the fit has diverged"
        )
    try:
        return checked_metrics(_scores(model, predictions, truth=target.to_numpy()))
    except ValueError as error:
        raise EvaluationError(f"the predictions on training rows cannot be scored: {error}") from error


def checked_metrics(values: Mapping[str, float]) -> dict[str, float]:
    """Return metrics that MLflow may store.

    It stores infinity as the largest float, which then passes every minimum, and NaN as something that passes
    every comparison.

    Raises
    ------
    EvaluationError
        If one is not finite, or outside the range of the metric of its name.
    """
    for name, value in values.items():
        lower, upper = _range_of(name)
        if not (math.isfinite(value) and lower <= value <= upper):
            raise EvaluationError(
                f"metric {name!r} is {value}, not a finite number in [{lower:g}, {upper:g}]; "
                "the fit has diverged or the rows cannot be scored"
            )
    return dict(values)


def _scores(model: LoadedModel, predictions: Predictions, *, truth: np.ndarray) -> dict[str, float]:
    from sklearn import metrics

    if model.task is Task.REGRESSION:
        return {
            "mae": float(metrics.mean_absolute_error(truth, predictions.labels)),
            "mse": float(metrics.mean_squared_error(truth, predictions.labels)),
        }
    return {
        "accuracy": float(metrics.accuracy_score(truth, predictions.labels)),
        "log_loss": float(metrics.log_loss(truth, predictions.scores, labels=list(model.classes))),
    }


def _range_of(name: str) -> tuple[float, float]:
    try:
        metric = find_metric(name)
    except UnknownMetricError:
        return -math.inf, math.inf
    return metric.lower, metric.upper
