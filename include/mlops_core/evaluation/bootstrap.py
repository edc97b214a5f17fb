"""Confidence intervals by resampling rows, for every metric and several models at once.

A resample of n rows drawn with replacement is a weight for each row: how often it was drawn. So a metric that
is a mean over rows costs one matrix product for many resamples, and a ranking metric sorts once. All models
see the same resamples, so that their differences are paired.

References
----------
Efron (1979), "Bootstrap methods: another look at the jackknife", section 2. Percentile intervals:
Efron (1981), "Nonparametric standard errors and confidence intervals", section 4. What resampling adds to a
statistic: Efron and Tibshirani (1993), "An introduction to the bootstrap", section 10.2.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from scipy import sparse

from mlops_core.errors import EmptySampleError, EvaluationError
from mlops_core.evaluation.catalogue import Metric, Task
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.ranking import Areas, Trace, trace, weighted_areas

_BLOCK_BYTES = 8 * 2**20
"""Of weights held at once: small enough for the processor's cache, large enough for few Python calls."""

_CHUNK_ROWS = 2**16
"""Rows that are drawn from at a time: 16 bits number them, and their counts stay in the nearest cache."""

_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True)
class WeightedRows:
    """Some resamples of one model's rows.

    Parameters
    ----------
    outcome
        The rows.
    weights : shape (resamples, rows)
        How often each row was drawn. Any weights that are not negative will do.
    known
        What was computed of the rows alone; handed from one block of resamples to the next.
    """

    outcome: Outcome
    weights: np.ndarray
    known: dict[Any, Any] = field(default_factory=dict, repr=False)

    def once(self, compute: Callable[[Outcome], _Value]) -> _Value:
        """Return what a function says of the rows, computed once for all blocks of resamples."""
        if compute not in self.known:
            self.known[compute] = compute(self.outcome)
        value: _Value = self.known[compute]
        return value

    @cached_property
    def total(self) -> np.ndarray:
        """The weight of all rows, shape (resamples,)."""
        total: np.ndarray = self.weights.sum(axis=1)
        return total

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Return the weighted mean of a value a row, shape (resamples,)."""
        # Not by "@", whose threads wait for each other longer than one alone would take.
        sums: np.ndarray = np.einsum("ij,j->i", self.weights, np.asarray(values, dtype=np.float64))
        mean: np.ndarray = sums / self.total
        return mean

    def sums(self, compute: Callable[[Outcome], tuple[np.ndarray, np.ndarray]], *, count: int) -> np.ndarray:
        """Return the weighted sum of a value a row within groups of rows, shape (resamples, count).

        Parameters
        ----------
        compute
            Of the rows: a value of each, and the group of each, from 0 to ``count - 1``.
        """
        if ("sums", compute) not in self.known:
            self.known["sums", compute] = _members(*compute(self.outcome), count=count)
        members = self.known["sums", compute]
        # One after the other: a product with all of them would turn the whole block around first.
        return np.stack([members @ weights for weights in self.weights])

    @cached_property
    def class_totals(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights by class, each of shape (resamples, classes): correctly predicted, predicted, true."""
        count = len(self.outcome.classes)
        return (
            self.sums(_correct, count=count),
            self.sums(_predicted, count=count),
            self.sums(_true, count=count),
        )

    @cached_property
    def areas(self) -> Areas:
        """Areas under ranking curves, of shape (resamples, rankings).

        Binary classification has one ranking, of the positive class; multiclass has one a class.
        """
        # One class after the other: all their running sums at once would not be bounded.
        areas = [weighted_areas(one, weights=self.weights) for one in self.once(_traces)]
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
    ordered = _by_first_ranking(outcomes)
    known: list[dict[Any, Any]] = [{} for _ in ordered]
    blocks: list[list[dict[str, np.ndarray]]] = [
        [
            _compute(WeightedRows(outcome=outcome, weights=weights, known=own), metrics)
            for outcome, own in zip(ordered, known, strict=True)
        ]
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


def score_interval(
    metric: Metric, *, value: float, replicates: np.ndarray, confidence: float
) -> tuple[float, float]:
    """Return the interval of a metric's value from its bootstrap values, inside the metric's range.

    A metric that grows with noise grows a second time by resampling: its replicates are moved back by that.

    Raises
    ------
    EvaluationError
        If any replicate is not finite.
    """
    lower, upper = interval(replicates, confidence=confidence)
    if not metric.grows_with_noise:
        return lower, upper
    added = float(replicates.mean()) - value
    return max(metric.lower, lower - added), min(metric.upper, upper - added)


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
            _draw(weight, generator)
        yield weights


def _draw(weight: np.ndarray, generator: np.random.Generator) -> None:
    """Draw one resample: first how many of its rows come from each chunk, then which of the chunk."""
    starts = range(0, len(weight), _CHUNK_ROWS)
    chunks = [weight[start : start + _CHUNK_ROWS] for start in starts]
    sizes = np.array([len(chunk) for chunk in chunks])
    for chunk, count in zip(chunks, generator.multinomial(len(weight), sizes / len(weight)), strict=True):
        drawn = generator.integers(len(chunk), size=count, dtype=np.uint16)
        chunk[:] = np.bincount(drawn, minlength=len(chunk))


def _by_first_ranking(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Put the rows of all in the order of the first one's scores: chance does not care which row is which.

    Its ranking then reads the weights from first to last, and need not gather them.
    """
    if outcomes[0].task is not Task.BINARY_CLASSIFICATION:
        return list(outcomes)
    order = outcomes[0].rankings[0].order
    return [outcome.take(order) for outcome in outcomes]


def _members(values: np.ndarray, groups: np.ndarray, *, count: int) -> sparse.csr_array:
    there = np.flatnonzero(values)
    return sparse.csr_array(
        (np.asarray(values[there], dtype=np.float64), (groups[there], there)), shape=(count, len(values))
    )


def _correct(outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    return outcome.truth == outcome.labels, outcome.truth


def _predicted(outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    return np.ones(outcome.rows), outcome.labels


def _true(outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
    return np.ones(outcome.rows), outcome.truth


def _traces(outcome: Outcome) -> list[Trace]:
    positive_classes = [1] if outcome.task is Task.BINARY_CLASSIFICATION else range(len(outcome.classes))
    return [
        trace(ranking, positive=outcome.truth == number)
        for ranking, number in zip(outcome.rankings, positive_classes, strict=True)
    ]


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
