"""The metrics that gates and reports may name.

To add one, write one function of an ``Outcome`` and register it with ``@metric``: its name is the metric's.
Raise EvaluationError with the reason where it is undefined. A fast form for the bootstrap is optional.

Light: DAG files import this module, so numpy and scikit-learn are imported inside the functions.
"""

import math
from typing import TYPE_CHECKING, Any

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import Task, metric

if TYPE_CHECKING:
    import numpy as np

    from mlops_core.evaluation.bootstrap import WeightedRows
    from mlops_core.evaluation.outcome import Outcome

_BINARY = Task.BINARY_CLASSIFICATION
_MULTICLASS = Task.MULTICLASS_CLASSIFICATION
_CALIBRATION_BINS = 10


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


def _require_every_class(outcome: "Outcome") -> None:
    absent = outcome.absent_classes()
    if absent:
        names = ", ".join(str(name) for name in absent[:10])
        raise EvaluationError(
            f"undefined: none of the {outcome.rows} held-out rows is of class {names};"
            " hold out more rows or gate on another metric"
        )


def _weighted_roc_auc(rows: "WeightedRows") -> "np.ndarray":
    mean: np.ndarray = rows.areas.roc.mean(axis=1)
    return mean


@metric(_BINARY, _MULTICLASS, lower=0, upper=1, greater_is_better=True, weighted=_weighted_roc_auc)
def roc_auc(outcome: "Outcome") -> float:
    """Area under the ROC curve. Multiclass: each class against the rest, unweighted mean."""
    from sklearn.metrics import roc_auc_score

    _require_every_class(outcome)
    if outcome.task is _BINARY:
        return float(roc_auc_score(outcome.truth, outcome.scores))
    return float(roc_auc_score(_one_hot(outcome), outcome.scores, average="macro"))


def _weighted_average_precision(rows: "WeightedRows") -> "np.ndarray":
    mean: np.ndarray = rows.areas.precision_recall.mean(axis=1)
    return mean


@metric(_BINARY, _MULTICLASS, lower=0, upper=1, greater_is_better=True, weighted=_weighted_average_precision)
def average_precision(outcome: "Outcome") -> float:
    """Precision averaged over recall, without interpolation. Multiclass: as ``roc_auc``."""
    from sklearn.metrics import average_precision_score

    _require_every_class(outcome)
    truth = outcome.truth if outcome.task is _BINARY else _one_hot(outcome)
    return float(average_precision_score(truth, outcome.scores, average="macro"))


def _one_hot(outcome: "Outcome") -> "np.ndarray":
    import numpy as np

    one_hot: np.ndarray = np.eye(len(outcome.classes), dtype=np.int8)[outcome.truth]
    return one_hot


def _log_losses(outcome: "Outcome") -> "np.ndarray":
    import numpy as np

    # scikit-learn clips the same way, so a wrong certainty costs 36 and not infinity.
    smallest = np.finfo(np.float64).eps
    losses: np.ndarray = -np.log(np.clip(_probability_of_truth(outcome), smallest, 1 - smallest))
    return losses


def _weighted_log_loss(rows: "WeightedRows") -> "np.ndarray":
    return rows.mean(rows.once(_log_losses))


@metric(_BINARY, _MULTICLASS, lower=0, upper=math.inf, greater_is_better=False, weighted=_weighted_log_loss)
def log_loss(outcome: "Outcome") -> float:
    """Mean negative log-likelihood of the true class, in nats."""
    from sklearn.metrics import log_loss

    return float(log_loss(outcome.truth, outcome.scores, labels=range(len(outcome.classes))))


def _probability_of_truth(outcome: "Outcome") -> "np.ndarray":
    import numpy as np

    if outcome.task is _BINARY:
        return np.where(outcome.truth == 1, outcome.scores, 1 - outcome.scores)
    chosen: np.ndarray = outcome.scores[np.arange(outcome.rows), outcome.truth]
    return chosen


def _brier_losses(outcome: "Outcome") -> "np.ndarray":
    import numpy as np

    if outcome.task is _BINARY:
        return _squared_errors(outcome)
    losses: np.ndarray = np.square(outcome.scores - _one_hot(outcome)).sum(axis=1) / 2
    return losses


def _squared_errors(outcome: "Outcome") -> "np.ndarray":
    squares: np.ndarray = (outcome.scores - outcome.truth) ** 2
    return squares


def _weighted_brier_score(rows: "WeightedRows") -> "np.ndarray":
    return rows.mean(rows.once(_brier_losses))


@metric(_BINARY, _MULTICLASS, lower=0, upper=1, greater_is_better=False, weighted=_weighted_brier_score)
def brier_score(outcome: "Outcome") -> float:
    """Mean squared error of the probabilities; halved for multiclass, so that it lies in [0, 1].

    References
    ----------
    Brier (1950), "Verification of forecasts expressed in terms of probability", equation 2.
    """
    from sklearn.metrics import brier_score_loss

    return float(
        brier_score_loss(
            outcome.truth, outcome.scores, labels=range(len(outcome.classes)), scale_by_half=True
        )
    )


def _calibration_gaps(outcome: "Outcome") -> "tuple[np.ndarray, np.ndarray]":
    import numpy as np

    confidence, correct = confidence_and_truth(outcome)
    bins = np.minimum((confidence * _CALIBRATION_BINS).astype(np.intp), _CALIBRATION_BINS - 1)
    return confidence - correct, bins


def _weighted_expected_calibration_error(rows: "WeightedRows") -> "np.ndarray":
    import numpy as np

    gaps = rows.sums(_calibration_gaps, count=_CALIBRATION_BINS)
    error: np.ndarray = np.abs(gaps).sum(axis=1) / rows.total
    return error


@metric(
    _BINARY,
    _MULTICLASS,
    lower=0,
    upper=1,
    greater_is_better=False,
    weighted=_weighted_expected_calibration_error,
)
def expected_calibration_error(outcome: "Outcome") -> float:
    """Gap between what was said and what was observed, over ten bins of equal width, weighted by rows.

    Binary: of the positive class's probability. Multiclass: of the predicted class's probability.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger (2017), "On calibration of modern neural networks", equation 3.
    """
    import numpy as np

    from mlops_core.evaluation.bootstrap import WeightedRows

    rows = WeightedRows(outcome=outcome, weights=np.ones((1, outcome.rows)))
    return float(_weighted_expected_calibration_error(rows)[0])


def confidence_and_truth(outcome: "Outcome") -> "tuple[np.ndarray, np.ndarray]":
    """Return the probability that calibration is about, and whether it came true, each of shape (n,).

    Binary: of the positive class. Multiclass: of the most probable class.
    """
    if outcome.task is _BINARY:
        return outcome.scores, outcome.truth
    best = outcome.scores.argmax(axis=1)
    return outcome.scores.max(axis=1), best == outcome.truth


def _absolute_errors(outcome: "Outcome") -> "np.ndarray":
    errors: np.ndarray = abs(outcome.scores - outcome.truth)
    return errors


def _weighted_mae(rows: "WeightedRows") -> "np.ndarray":
    return rows.mean(rows.once(_absolute_errors))


@metric(Task.REGRESSION, lower=0, upper=math.inf, greater_is_better=False, weighted=_weighted_mae)
def mae(outcome: "Outcome") -> float:
    """Mean absolute error, in the target's unit."""
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(outcome.truth, outcome.scores))


def _weighted_mse(rows: "WeightedRows") -> "np.ndarray":
    return rows.mean(rows.once(_squared_errors))


@metric(Task.REGRESSION, lower=0, upper=math.inf, greater_is_better=False, weighted=_weighted_mse)
def mse(outcome: "Outcome") -> float:
    """Mean squared error, in the target's unit squared."""
    from sklearn.metrics import mean_squared_error

    return float(mean_squared_error(outcome.truth, outcome.scores))


def _centred(outcome: "Outcome") -> "np.ndarray":
    # The difference of two large squares would lose the digits that matter.
    centred: np.ndarray = outcome.truth - outcome.truth.mean()
    return centred


def _centred_squares(outcome: "Outcome") -> "np.ndarray":
    squares: np.ndarray = _centred(outcome) ** 2
    return squares


def _weighted_r2(rows: "WeightedRows") -> "np.ndarray":
    import numpy as np

    squares = rows.once(_centred_squares)
    variance = rows.mean(squares) - rows.mean(rows.once(_centred)) ** 2
    error = rows.mean(rows.once(_squared_errors))
    # A resample of one value repeated has no variance but for rounding.
    defined = variance > 1e-14 * squares.mean()
    share: np.ndarray = np.divide(error, variance, out=np.full_like(error, np.nan), where=defined)
    return 1 - share


@metric(Task.REGRESSION, lower=-math.inf, upper=1, greater_is_better=True, weighted=_weighted_r2)
def r2(outcome: "Outcome") -> float:
    """Share of the target's variance that is explained; below 0 is worse than the mean."""
    from sklearn.metrics import r2_score

    if outcome.truth.min() == outcome.truth.max():
        raise EvaluationError(
            f"undefined: all {outcome.rows} held-out rows have the same target {outcome.truth[0]:g}"
        )
    return float(r2_score(outcome.truth, outcome.scores))
