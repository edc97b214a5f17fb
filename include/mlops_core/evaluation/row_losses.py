"""How wrong a model is on each single row."""

import numpy as np

from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.outcome import Outcome


def row_losses(outcome: Outcome) -> np.ndarray:
    """Return each row's loss, shape (n,).

    Classification: the negative log-likelihood of the true class, in nats. Regression: the absolute error,
    because squares would let a few rows decide.
    """
    if outcome.task is Task.REGRESSION:
        error: np.ndarray = np.abs(outcome.scores - outcome.truth)
        return error
    smallest = np.finfo(np.float64).eps
    loss: np.ndarray = -np.log(np.clip(probability_of_truth(outcome), smallest, 1 - smallest))
    return loss


def probability_of_truth(outcome: Outcome) -> np.ndarray:
    """Return the probability that a classifier gave to each row's true class, shape (n,)."""
    if outcome.task is Task.BINARY_CLASSIFICATION:
        return np.where(outcome.truth == 1, outcome.scores, 1 - outcome.scores)
    chosen: np.ndarray = outcome.scores[np.arange(outcome.rows), outcome.truth]
    return chosen
