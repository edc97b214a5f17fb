"""How wrong a model is on each single row. Light: metrics import it, and DAG files import metrics."""

from typing import TYPE_CHECKING

from mlops_core.evaluation.catalogue import Task

if TYPE_CHECKING:
    import numpy as np

    from mlops_core.evaluation.outcome import Outcome


def row_losses(outcome: "Outcome") -> "np.ndarray":
    """Return each row's loss, shape (n,).

    Classification: the negative log-likelihood of the true class, in nats. Regression: the absolute error,
    because squares would let a few rows decide.
    """
    return absolute_errors(outcome) if outcome.task is Task.REGRESSION else log_losses(outcome)


def log_losses(outcome: "Outcome") -> "np.ndarray":
    """Return the negative log-likelihood of each row's true class, shape (n,), in nats."""
    import numpy as np

    # scikit-learn clips the same way, so a wrong certainty costs 36 and not infinity.
    smallest = np.finfo(np.float64).eps
    losses: np.ndarray = -np.log(np.clip(probability_of_truth(outcome), smallest, 1 - smallest))
    return losses


def probability_of_truth(outcome: "Outcome") -> "np.ndarray":
    """Return the probability that a classifier gave to each row's true class, shape (n,)."""
    import numpy as np

    if outcome.task is Task.BINARY_CLASSIFICATION:
        return np.where(outcome.truth == 1, outcome.scores, 1 - outcome.scores)
    chosen: np.ndarray = outcome.scores[np.arange(outcome.rows), outcome.truth]
    return chosen


def absolute_errors(outcome: "Outcome") -> "np.ndarray":
    """Return how far each prediction is from the truth, shape (n,), in the target's unit."""
    errors: np.ndarray = abs(outcome.scores - outcome.truth)
    return errors


def squared_errors(outcome: "Outcome") -> "np.ndarray":
    """Return the square of how far each prediction is from the truth, shape (n,)."""
    squares: np.ndarray = (outcome.scores - outcome.truth) ** 2
    return squares
