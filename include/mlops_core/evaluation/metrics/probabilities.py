"""Metrics of the probabilities: how they rank, and whether they come true."""

import math
from typing import TYPE_CHECKING

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import Task, metric
from mlops_core.evaluation.row_losses import log_losses, squared_errors

if TYPE_CHECKING:
    import numpy as np

    from mlops_core.evaluation.bootstrap import WeightedRows
    from mlops_core.evaluation.outcome import Outcome

_BINARY = Task.BINARY_CLASSIFICATION
_MULTICLASS = Task.MULTICLASS_CLASSIFICATION
_CALIBRATION_BINS = 10


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


def _weighted_log_loss(rows: "WeightedRows") -> "np.ndarray":
    return rows.mean(rows.once(log_losses))


@metric(_BINARY, _MULTICLASS, lower=0, upper=math.inf, greater_is_better=False, weighted=_weighted_log_loss)
def log_loss(outcome: "Outcome") -> float:
    """Mean negative log-likelihood of the true class, in nats."""
    from sklearn.metrics import log_loss

    return float(log_loss(outcome.truth, outcome.scores, labels=range(len(outcome.classes))))


def _brier_losses(outcome: "Outcome") -> "np.ndarray":
    import numpy as np

    if outcome.task is _BINARY:
        return squared_errors(outcome)
    losses: np.ndarray = np.square(outcome.scores - _one_hot(outcome)).sum(axis=1) / 2
    return losses


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
    grows_with_noise=True,
)
def expected_calibration_error(outcome: "Outcome") -> float:
    """Gap between what was said and what was observed, over ten bins of equal width, weighted by rows.

    Binary: of the positive class's probability. Multiclass: of the predicted class's probability. Gaps that
    are only noise count too, so fewer rows give a larger value.

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
