"""Metrics of the predicted class."""

from typing import TYPE_CHECKING, Any

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import Task, metric

if TYPE_CHECKING:
    import numpy as np

    from mlops_core.evaluation.bootstrap import WeightedRows
    from mlops_core.evaluation.outcome import Outcome

_BINARY = Task.BINARY_CLASSIFICATION
_MULTICLASS = Task.MULTICLASS_CLASSIFICATION


def _right(outcome: "Outcome") -> "np.ndarray":
    right: np.ndarray = (outcome.truth == outcome.labels).astype("float64")
    return right


def _weighted_accuracy(rows: "WeightedRows") -> "np.ndarray":
    return rows.mean(rows.once(_right))


@metric(_BINARY, _MULTICLASS, lower=0, upper=1, greater_is_better=True, weighted=_weighted_accuracy)
def accuracy(outcome: "Outcome") -> float:
    """Share of rows whose class is predicted."""
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(outcome.truth, outcome.labels))


def _average(rows: "WeightedRows", by_class: "np.ndarray") -> "np.ndarray":
    """Average shape (resamples, classes): the positive class alone, or the mean over classes that occur."""
    if rows.outcome.task is _BINARY:
        return by_class[:, 1]
    mean: np.ndarray = by_class[:, rows.once(_occurring)].mean(axis=1)
    return mean


def _occurring(outcome: "Outcome") -> "np.ndarray":
    import numpy as np

    return np.union1d(outcome.truth, outcome.labels)


def _ratio(numerator: "np.ndarray", denominator: "np.ndarray") -> "np.ndarray":
    """Divide, with 0 for 0/0 as scikit-learn's ``zero_division=0``."""
    from mlops_core.evaluation.ranking import divide

    return divide(numerator, denominator, otherwise=0.0)


def _weighted_precision(rows: "WeightedRows") -> "np.ndarray":
    correct, predicted, _ = rows.class_totals
    return _average(rows, _ratio(correct, predicted))


@metric(_BINARY, _MULTICLASS, lower=0, upper=1, greater_is_better=True, weighted=_weighted_precision)
def precision(outcome: "Outcome") -> float:
    """Share of the predicted positives that are; 0 when none is predicted. Multiclass: unweighted mean."""
    from sklearn.metrics import precision_score

    return float(precision_score(outcome.truth, outcome.labels, **_averaging(outcome)))


def _weighted_recall(rows: "WeightedRows") -> "np.ndarray":
    correct, _, true = rows.class_totals
    return _undefined_without_positives(rows, _average(rows, _ratio(correct, true)))


@metric(_BINARY, _MULTICLASS, lower=0, upper=1, greater_is_better=True, weighted=_weighted_recall)
def recall(outcome: "Outcome") -> float:
    """Share of the true positives that are predicted. Multiclass: unweighted mean over classes."""
    from sklearn.metrics import recall_score

    _require_positives(outcome)
    return float(recall_score(outcome.truth, outcome.labels, **_averaging(outcome)))


def _weighted_f1(rows: "WeightedRows") -> "np.ndarray":
    correct, predicted, true = rows.class_totals
    return _undefined_without_positives(rows, _average(rows, _ratio(2 * correct, predicted + true)))


@metric(_BINARY, _MULTICLASS, lower=0, upper=1, greater_is_better=True, weighted=_weighted_f1)
def f1(outcome: "Outcome") -> float:
    """Harmonic mean of precision and recall. Multiclass: unweighted mean over classes."""
    from sklearn.metrics import f1_score

    _require_positives(outcome)
    return float(f1_score(outcome.truth, outcome.labels, **_averaging(outcome)))


def _averaging(outcome: "Outcome") -> dict[str, Any]:
    return {"average": "binary" if outcome.task is _BINARY else "macro", "zero_division": 0}


def _require_positives(outcome: "Outcome") -> None:
    if outcome.task is _BINARY and not (outcome.truth == 1).any():
        raise EvaluationError(
            f"undefined: none of the {outcome.rows} held-out rows is of the positive class"
            f" {outcome.classes[1]}; hold out more rows or gate on another metric"
        )


def _undefined_without_positives(rows: "WeightedRows", values: "np.ndarray") -> "np.ndarray":
    import numpy as np

    if rows.outcome.task is not _BINARY:
        return values
    return np.where(rows.class_totals[2][:, 1] > 0, values, np.nan)
