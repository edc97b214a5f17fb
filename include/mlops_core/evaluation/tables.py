"""What a single number hides: which classes are confused, and whether predictions mean what they say."""

import numpy as np

from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.metrics.probabilities import confidence_and_truth
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.report import CalibrationBin, ConfusionMatrix

_MOST_CLASSES = 20
_BINS = 10


def confusion_matrix(outcome: Outcome) -> ConfusionMatrix | None:
    """Count rows by true and predicted class; None for regression.

    Beyond 20 classes the rarest are counted together, so that a report of a thousand classes stays readable.
    """
    if outcome.task is Task.REGRESSION:
        return None
    names = [str(name) for name in outcome.classes]
    truth, labels = outcome.truth, outcome.labels
    if len(names) > _MOST_CLASSES:
        commonest_first = np.argsort(-np.bincount(truth, minlength=len(names)), kind="stable")
        kept = np.sort(commonest_first[: _MOST_CLASSES - 1]).tolist()
        places = np.full(len(names), _MOST_CLASSES - 1)
        places[kept] = np.arange(_MOST_CLASSES - 1)
        truth, labels = places[truth], places[labels]
        rest = len(names) - len(kept)
        names = [*(names[number] for number in kept), f"{rest} rarer classes"]
    cells = np.bincount(truth * len(names) + labels, minlength=len(names) ** 2)
    counts = cells.reshape(len(names), len(names)).tolist()
    return ConfusionMatrix(classes=tuple(names), counts=tuple(tuple(row) for row in counts))


def calibration(outcome: Outcome) -> tuple[CalibrationBin, ...]:
    """Compare what was predicted with what was observed, in bins of similar prediction; empty bins left out.

    Classification: ten bins of equal width of the probability that ``expected_calibration_error`` is about.
    Regression: tenths of the rows by predicted value.
    """
    if outcome.task is Task.REGRESSION:
        predicted, observed = outcome.scores, outcome.truth
        edges = np.unique(np.quantile(predicted, np.linspace(0, 1, _BINS + 1)))
        bins = np.clip(np.searchsorted(edges, predicted, side="right") - 1, 0, max(len(edges) - 2, 0))
    else:
        predicted, observed = confidence_and_truth(outcome)
        edges = np.linspace(0, 1, _BINS + 1)
        bins = np.minimum((predicted * _BINS).astype(np.intp), _BINS - 1)
    rows = np.bincount(bins)
    sum_predicted = np.bincount(bins, weights=predicted)
    sum_observed = np.bincount(bins, weights=observed)
    return tuple(
        CalibrationBin(
            lower=float(edges[number]),
            upper=float(edges[min(number + 1, len(edges) - 1)]),
            rows=int(rows[number]),
            predicted=float(sum_predicted[number] / rows[number]),
            observed=float(sum_observed[number] / rows[number]),
        )
        for number in np.flatnonzero(rows).tolist()
    )
