"""Confidence intervals by resampling rows, for every metric and several models at once.

A resample of n rows drawn with replacement is a weight for each row: how often it was drawn. So a metric that
is a mean over rows costs one matrix product for many resamples, and a ranking metric sorts once. All models
see the same resamples, so that their differences are paired.

References
----------
Efron (1979), "Bootstrap methods: another look at the jackknife", section 2. Percentile intervals:
Efron (1981), "Nonparametric standard errors and confidence intervals", section 4.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from mlops_core.errors import EmptySampleError, EvaluationError
from mlops_core.evaluation.catalogue import Metric, Task
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.ranking import Areas, weighted_areas

_BLOCK_BYTES = 8 * 2**20
"""Of weights held at once: small enough for the processor's cache, large enough for few Python calls."""


@dataclass(frozen=True, kw_only=True)
class WeightedRows:
    """Some resamples of one model's rows.

    Parameters
    ----------
    outcome
        The rows.
    weights : shape (resamples, rows)
        How often each row was drawn. Any weights that are not negative will do.
    """

    outcome: Outcome
    weights: np.ndarray

    @cached_property
    def total(self) -> np.ndarray:
        """The weight of all rows, shape (resamples,)."""
        total: np.ndarray = self.weights.sum(axis=1)
        return total

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Return the weighted mean of a value a row, shape (resamples,)."""
        mean: np.ndarray = (self.weights @ np.asarray(values, dtype=np.float64)) / self.total
        return mean

    def sums(self, values: np.ndarray, *, groups: np.ndarray, count: int) -> np.ndarray:
        """Return the weighted sum of a value a row within groups of rows, shape (resamples, count).

        Parameters
        ----------
        values : shape (rows,)
        groups : shape (rows,)
            Each row's group, from 0 to ``count - 1``.
        """
        rows = np.arange(self.outcome.rows)
        members = sparse.csr_array(
            (np.asarray(values, dtype=np.float64), (rows, groups)), shape=(self.outcome.rows, count)
        )
        return np.asarray(self.weights @ members)

    @cached_property
    def class_totals(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights by class, each of shape (resamples, classes): correctly predicted, predicted, true."""
        truth, labels = self.outcome.truth, self.outcome.labels
        count = len(self.outcome.classes)
        ones = np.ones(self.outcome.rows)
        return (
            self.sums(truth == labels, groups=truth, count=count),
            self.sums(ones, groups=labels, count=count),
            self.sums(ones, groups=truth, count=count),
        )

    @cached_property
    def areas(self) -> Areas:
        """Areas under ranking curves, of shape (resamples, rankings).

        Binary classification has one ranking, of the positive class; multiclass has one a class.
        """
        outcome = self.outcome
        positive_classes = [1] if outcome.task is Task.BINARY_CLASSIFICATION else range(len(outcome.classes))
        # One class after the other: all their running sums at once would not be bounded.
        areas = [
            weighted_areas(ranking, positive=outcome.truth == number, weights=self.weights)
            for ranking, number in zip(outcome.rankings, positive_classes, strict=True)
        ]
        return Areas(
            roc=np.stack([area.roc for area in areas], axis=1),
            precision_recall=np.stack([area.precision_recall for area in areas], axis=1),
        )


def resample(
    outcomes: Sequence[Outcome], *, metrics: Sequence[Metric], resamples: int, seed: int
) -> list[dict[str, np.ndarray]]:
    """Compute metrics of several models under the same resamples of their rows.

    Parameters
    ----------
    outcomes
        One a model, of the same rows in the same order.
    metrics
        What to compute of each.
    resamples
        How many.
    seed
        The same seed gives the same resamples, whatever the memory allows at once.

    Returns
    -------
    For each outcome, by metric's name, the values of shape (resamples,); NaN where a resample leaves a metric
    undefined.

    Raises
    ------
    EmptySampleError
        If there are no rows.
    EvaluationError
        If the outcomes are of different numbers of rows.
    """
    if not outcomes:
        return []
    rows = {outcome.rows for outcome in outcomes}
    if len(rows) > 1:
        counts = ", ".join(str(count) for count in sorted(rows))
        raise EvaluationError(f"models were scored on different numbers of rows ({counts}); nothing to pair")
    if rows == {0}:
        raise EmptySampleError("a bootstrap of no rows was asked for; there must be at least one")
    blocks: list[list[dict[str, np.ndarray]]] = [
        [_compute(WeightedRows(outcome=outcome, weights=weights), metrics) for outcome in outcomes]
        for weights in _draw_blocks(rows.pop(), resamples=resamples, seed=seed)
    ]
    return [
        {metric.name: np.concatenate([block[number][metric.name] for block in blocks]) for metric in metrics}
        for number in range(len(outcomes))
    ]


def interval(replicates: np.ndarray, *, confidence: float) -> tuple[float, float]:
    """Return the two-sided percentile interval of a statistic's bootstrap values.

    Raises
    ------
    EvaluationError
        If any value is not finite: a limit that leaves some resamples out would look surer than it is.
    """
    undefined = int((~np.isfinite(replicates)).sum())
    if undefined:
        raise EvaluationError(
            f"undefined in {undefined} of {len(replicates)} bootstrap resamples, because the held-out rows"
            " hold too few of some class or value; hold out more rows"
        )
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(replicates, [tail, 1 - tail])
    return float(lower), float(upper)


def improvements(
    metric: Metric, *, new: Mapping[str, np.ndarray], over: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Return one metric's paired differences of two models, signed so that more is better."""
    difference: np.ndarray = new[metric.name] - over[metric.name]
    return difference if metric.greater_is_better else -difference


def _draw_blocks(rows: int, *, resamples: int, seed: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    at_once = max(1, _BLOCK_BYTES // (8 * rows))
    for first in range(0, resamples, at_once):
        weights = np.empty((min(at_once, resamples - first), rows))
        for weight in weights:
            weight[:] = np.bincount(generator.integers(rows, size=rows), minlength=rows)
        yield weights


def _compute(rows: WeightedRows, metrics: Sequence[Metric]) -> dict[str, np.ndarray]:
    return {
        metric.name: _repeat_rows(rows, metric) if metric.weighted is None else metric.weighted(rows)
        for metric in metrics
    }


def _repeat_rows(rows: WeightedRows, metric: Metric) -> np.ndarray:
    values = np.full(len(rows.weights), np.nan)
    for number, weights in enumerate(rows.weights):
        drawn = np.repeat(np.arange(len(weights)), weights.astype(np.intp))
        try:
            values[number] = metric.compute(rows.outcome.take(drawn))
        except EvaluationError:
            # Undefined on these rows, for example of one class only: the value stays NaN and is counted.
            continue
    return values
