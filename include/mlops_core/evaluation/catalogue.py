"""The register of metrics. Light: a DAG file imports it to check a declaration."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mlops_core.errors import DeclarationError, UnknownMetricError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import pandas as pd

    from mlops_core.evaluation.bootstrap import WeightedRows
    from mlops_core.evaluation.outcome import Outcome
    from mlops_core.models.loaded import Predictions


class Task(StrEnum):
    """What a model predicts."""

    BINARY_CLASSIFICATION = "binary_classification"
    MULTICLASS_CLASSIFICATION = "multiclass_classification"
    REGRESSION = "regression"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One registered metric: what it is for, where it lies, and the functions that compute it.

    Parameters
    ----------
    compute
        The value on all rows. It raises EvaluationError, with the reason, where the metric is undefined.
    weighted
        The values under many row weights at once, shape (resamples,), NaN where undefined. Without it the
        bootstrap repeats rows and calls ``compute``, which is right for every metric, and slow.
    grows_with_noise
        Whether fewer rows give another value for the same model, as a sum of absolute gaps does. Its interval
        is moved back by what resampling adds, and it neither ranks candidates nor is watched.
    """

    name: str
    tasks: frozenset[Task]
    lower: float
    upper: float
    greater_is_better: bool
    compute: "Callable[[Outcome], float]"
    weighted: "Callable[[WeightedRows], np.ndarray] | None" = None
    grows_with_noise: bool = False

    @property
    def range(self) -> str:
        """The closed range in words, for example ``[0, 1]``."""
        return f"[{self.lower:g}, {self.upper:g}]"

    def holds(self, value: float) -> bool:
        """Whether a value is finite and inside the range."""
        return math.isfinite(value) and self.lower <= value <= self.upper

    def score(
        self, task: Task, *, truth: "pd.Series", predictions: "Predictions", classes: tuple[Any, ...] = ()
    ) -> float:
        """Return the value of a model's predictions on some rows.

        Raises
        ------
        EvaluationError
            If the predictions do not fit the rows, or the metric is undefined on them.
        """
        from mlops_core.evaluation.outcome import Outcome

        return self.compute(Outcome.of(task, truth=truth, predictions=predictions, classes=classes))

    def improvement(self, new: float, *, over: float) -> float:
        """Return the difference, signed so that more is better."""
        return new - over if self.greater_is_better else over - new


_METRICS: dict[str, Metric] = {}


def metric(
    *tasks: Task,
    lower: float,
    upper: float,
    greater_is_better: bool,
    weighted: "Callable[[WeightedRows], np.ndarray] | None" = None,
    grows_with_noise: bool = False,
) -> "Callable[[Callable[[Outcome], float]], Callable[[Outcome], float]]":
    """Register the decorated function as the metric of its own name.

    Parameters
    ----------
    tasks
        What the metric can judge.
    lower, upper
        Its closed range. A value outside is an error, never a score.
    greater_is_better
        Which way a gate looks.
    weighted
        Its fast form for the bootstrap; it may be left out.
    grows_with_noise
        Whether fewer rows give another value for the same model.

    Raises
    ------
    DeclarationError
        If the name is taken, no task is given, or the range is empty.
    """

    def register(compute: "Callable[[Outcome], float]") -> "Callable[[Outcome], float]":
        name = compute.__name__
        if name in _METRICS:
            raise DeclarationError(f"metric {name!r} is registered already; give the function another name")
        if not tasks:
            raise DeclarationError(f"metric {name!r} judges no task; name at least one of {', '.join(Task)}")
        if not lower < upper:
            raise DeclarationError(
                f"metric {name!r} has the range [{lower:g}, {upper:g}]; it must hold values"
            )
        _METRICS[name] = Metric(
            name=name,
            tasks=frozenset(tasks),
            lower=lower,
            upper=upper,
            greater_is_better=greater_is_better,
            compute=compute,
            weighted=weighted,
            grows_with_noise=grows_with_noise,
        )
        return compute

    return register


def find_metric(name: str) -> Metric:
    """Return the metric registered under ``name``.

    Raises
    ------
    UnknownMetricError
        If there is none; the message lists what there is.
    """
    try:
        return _METRICS[name]
    except KeyError:
        known = ", ".join(sorted(_METRICS))
        raise UnknownMetricError(f"unknown metric {name!r}; known metrics: {known}") from None


def metrics_for(task: Task) -> tuple[Metric, ...]:
    """Return every metric that can judge ``task``, by name."""
    return tuple(_METRICS[name] for name in sorted(_METRICS) if task in _METRICS[name].tasks)
