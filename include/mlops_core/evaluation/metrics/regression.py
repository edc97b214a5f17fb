"""Metrics of a predicted number."""

import math
from typing import TYPE_CHECKING

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import Task, metric
from mlops_core.evaluation.row_losses import absolute_errors, squared_errors

if TYPE_CHECKING:
    import numpy as np

    from mlops_core.evaluation.bootstrap import WeightedRows
    from mlops_core.evaluation.outcome import Outcome


def _weighted_mae(rows: "WeightedRows") -> "np.ndarray":
    return rows.mean(rows.once(absolute_errors))


@metric(Task.REGRESSION, lower=0, upper=math.inf, greater_is_better=False, weighted=_weighted_mae)
def mae(outcome: "Outcome") -> float:
    """Mean absolute error, in the target's unit."""
    from sklearn.metrics import mean_absolute_error

    return float(mean_absolute_error(outcome.truth, outcome.scores))


def _weighted_mse(rows: "WeightedRows") -> "np.ndarray":
    return rows.mean(rows.once(squared_errors))


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
    error = rows.mean(rows.once(squared_errors))
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
