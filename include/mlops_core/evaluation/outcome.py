"""What was true and what one model predicted of the same rows, checked and encoded for the metrics."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.ranking import Ranking, rank
from mlops_core.models.loaded import Predictions

_PROBABILITY_SUM_TOLERANCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Truth and predictions of one model on some rows.

    Parameters
    ----------
    truth, labels : shape (n,)
        Classification: numbers of classes, as in ``classes``. Regression: values.
    scores
        Binary: shape (n,), probability of ``classes[1]``. Multiclass: shape (n, k), rows sum to 1.
        Regression: shape (n,), equal to ``labels``.
    """

    task: Task
    truth: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    classes: tuple[Any, ...] = ()

    @classmethod
    def of(
        cls, task: Task, *, truth: pd.Series, predictions: Predictions, classes: Sequence[Hashable] = ()
    ) -> Self:
        """Check a model's predictions against the rows, and encode both.

        Parameters
        ----------
        truth
            The target's known values, in the rows' order.
        predictions
            Of the same rows, in the same order.
        classes
            The model's classes, in the order of its scores; empty for regression.

        Raises
        ------
        EvaluationError
            If predictions are too few or too many, not finite, no probabilities, or of unknown classes.
        """
        scores = np.asarray(predictions.scores, dtype=np.float64)
        _check_shape(task, scores, predictions.labels, rows=len(truth), classes=len(classes))
        _check_finite(scores, what="predictions")
        if task is Task.REGRESSION:
            values = _numbers(truth)
            _check_finite(values, what="target values")
            return cls(task=task, truth=values, scores=scores, labels=scores)
        _check_probabilities(task, scores)
        if task is Task.BINARY_CLASSIFICATION:
            known = tuple(classes)
        else:
            # A class that the model has never seen gets probability 0, which is what it says of it.
            new = sorted(set(truth.unique().tolist()) - set(classes), key=str)
            known = (*classes, *new)
            scores = np.pad(scores / scores.sum(axis=1, keepdims=True), ((0, 0), (0, len(new))))
        return cls(
            task=task,
            truth=_encode(truth, known, what="the target holds"),
            scores=scores,
            labels=_encode(pd.Series(predictions.labels), known, what="the model predicts"),
            classes=known,
        )

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.truth)

    def take(self, rows: np.ndarray) -> "Outcome":
        """Return the outcome of some rows, which may repeat."""
        return Outcome(
            task=self.task,
            truth=self.truth[rows],
            scores=self.scores[rows],
            labels=self.labels[rows],
            classes=self.classes,
        )

    def absent_classes(self) -> tuple[Any, ...]:
        """Return the classes that no row truly has."""
        present = np.bincount(self.truth, minlength=len(self.classes)) > 0
        return tuple(name for name, here in zip(self.classes, present, strict=True) if not here)

    @cached_property
    def rankings(self) -> tuple[Ranking, ...]:
        """Sorted once: by the positive class's score, or one ranking a class."""
        columns = self.scores.reshape(self.rows, -1)
        return tuple(rank(columns[:, column]) for column in range(columns.shape[1]))


def _check_shape(task: Task, scores: np.ndarray, labels: np.ndarray, *, rows: int, classes: int) -> None:
    if len(scores) != rows or len(labels) != rows:
        raise EvaluationError(
            f"the model answered {len(scores)} scores and {len(labels)} labels for {rows} rows;"
            " it must answer one of each a row"
        )
    expected = (rows, classes) if task is Task.MULTICLASS_CLASSIFICATION else (rows,)
    if scores.shape != expected:
        raise EvaluationError(f"scores have the shape {scores.shape}; {task.value} needs {expected}")
    if task is Task.BINARY_CLASSIFICATION and classes != 2:
        raise EvaluationError(f"the model knows {classes} classes; binary classification needs 2")
    if task is Task.MULTICLASS_CLASSIFICATION and classes < 2:
        raise EvaluationError(f"the model knows {classes} classes; multiclass classification needs 2 or more")


def _check_finite(values: np.ndarray, *, what: str) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        raise EvaluationError(f"{int((~finite).sum())} of {values.size} {what} are NaN or infinite")


def _numbers(truth: pd.Series) -> np.ndarray:
    try:
        return truth.to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"the target is of type {truth.dtype}; regression needs numbers") from error


def _check_probabilities(task: Task, scores: np.ndarray) -> None:
    outside = (scores < 0) | (scores > 1)
    if outside.any():
        raise EvaluationError(
            f"{int(outside.sum())} of {scores.size} scores lie outside [0, 1], for example"
            f" {scores[outside][0]:g}; a classifier must answer probabilities"
        )
    if task is Task.MULTICLASS_CLASSIFICATION:
        error = np.abs(scores.sum(axis=1) - 1).max(initial=0)
        if not error <= _PROBABILITY_SUM_TOLERANCE:
            raise EvaluationError(f"a row's probabilities miss the sum of 1 by {error:.2g}")


def _encode(values: pd.Series, classes: Sequence[Any], *, what: str) -> np.ndarray:
    # By Python's equality, so that 1, 1.0 and True are one class, whatever type a gap gave the column.
    numbers = {name: number for number, name in enumerate(classes)}
    unknown = sorted({str(value) for value in values.unique().tolist() if value not in numbers})
    if unknown:
        raise EvaluationError(
            f"{what} {', '.join(unknown[:5])}; the model's classes are {', '.join(map(str, classes[:20]))}"
        )
    return np.fromiter((numbers[value] for value in values.tolist()), dtype=np.intp, count=len(values))
