"""How far two samples of the same thing lie apart by chance, at exactly these sizes.

A fixed limit, such as 0.1, is crossed by chance in small windows and says nothing of large ones. So each
window gets thresholds of its own. If nothing changed, then which rows are the reference's and which the
window's is arbitrary: deal the pooled rows out again at random and see how far apart the two parts fall.
Dealing rows is drawing bin counts from a multivariate hypergeometric distribution, so it costs milliseconds
at any number of rows, is exact at any size and any shape of the bins, and holds the sampling noise of both
sides.

Several columns are tested at once. Each test gets an equal share of the window's false-alarm rate, which
holds the rate of any false alarm under every dependence between the columns, and leaves one plain threshold
for each statistic.

References
----------
Permutation tests: Fisher (1935), "The design of experiments", section 21. A p-value from resamples counts the
observed value too: Phipson and Smyth (2010), "Permutation p-values should never be zero", equation 2. The
share of each test: Bonferroni's inequality, see Dunn (1961), "Multiple comparisons among means".
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mlops_core.monitoring.report import Measure

DISTANCE = "distance"
SHIFT = "shift"
NEW_CATEGORIES = "new categories"
TESTS_PER_COLUMN = 2
"""Distance and shift of an ordered column; distance and new categories of an unordered one."""

_WANTED_EXCEEDANCES = 5
_DRAWS_A_WINDOW = 4_000_000
_DRAWS_AT_ONCE = 20_000
_DECIMALS = 12
"""Equal counts in another order of summation may differ in the last bit; a tie must count as one."""

Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The share of the false-alarm rate that one test may use, and the resamples that can show it.

    Parameters
    ----------
    tests
        How many there are in the window.
    level
        The false-alarm rate of one test.
    resamples
        How many make one null distribution.
    seed
        The same seed gives the same thresholds.
    """

    tests: int
    level: float
    resamples: int
    seed: int

    @classmethod
    def of(cls, *, columns: int, false_alarm_rate: float, seed: int) -> "Calibration":
        """Share a window's false-alarm rate among its columns.

        The threshold is the fifth largest of the resamples where the draws of a window allow it. With several
        hundred columns it moves towards the largest: still exact, only noisier from seed to seed.
        """
        tests = max(1, columns) * TESTS_PER_COLUMN
        level = false_alarm_rate / tests
        affordable = _DRAWS_A_WINDOW // max(1, columns)
        exceedances = min(_WANTED_EXCEEDANCES, max(1, math.floor(affordable * level)))
        return cls(tests=tests, level=level, resamples=math.ceil(exceedances / level) - 1, seed=seed)

    @property
    def exceedances(self) -> int:
        """Which of the largest resampled values is the threshold, counted from 1."""
        # The sum keeps a product such as 0.001 * 1000 from falling to the next lower whole number.
        return max(1, math.floor(self.level * (self.resamples + 1) + 1e-9))

    def adjust(self, p_value: float) -> float:
        """Return the bound of a p-value for the smallest of all tests of the window."""
        return min(1.0, self.tests * p_value)

    def measure(self, name: str, *, value: float, null: np.ndarray) -> Measure:
        """Compare one statistic with its null distribution.

        The value exceeds the threshold exactly when the p-value is at most the level.

        Parameters
        ----------
        name
            Of the statistic.
        value
            Observed.
        null : shape (resamples,)
            Values without a change.
        """
        value = round(value, _DECIMALS)
        null = np.round(null, _DECIMALS)
        rank = len(null) - self.exceedances
        threshold = np.partition(null, rank)[rank]
        p_value = (1 + int((null >= value).sum())) / (1 + len(null))
        return Measure(name=name, value=value, threshold=float(threshold), p_value=p_value)


def total_variation(reference: np.ndarray, current: np.ndarray) -> np.ndarray:
    """Half the sum of the absolute differences of the bins' shares: how much of one sample must move.

    Parameters
    ----------
    reference, current : shape (..., bins)
        Counts.

    Returns
    -------
    Shape (...), in [0, 1]; 0 where a side is empty.
    """
    distance: np.ndarray = np.abs(_shares(reference) - _shares(current)).sum(axis=-1) / 2
    return np.where(_is_empty(reference, current), 0.0, distance)


def cumulative_shift(reference: np.ndarray, current: np.ndarray) -> np.ndarray:
    """Mean distance of the two cumulative distributions over the inner edges of ordered bins.

    The earth mover's distance of the bins' ranks, divided by its largest value. A move of a whole
    distribution is seen in about half the rows that the total variation distance needs, because that one
    forgets the bins' order.

    Parameters
    ----------
    reference, current : shape (..., bins)
        Counts in the bins' order, without missing values.

    Returns
    -------
    Shape (...), in [0, 1]; 0 where a side is empty or there is one bin.
    """
    if np.shape(reference)[-1] < 2:
        return np.zeros(np.broadcast_shapes(np.shape(reference)[:-1], np.shape(current)[:-1]))
    difference = np.cumsum(_shares(reference) - _shares(current), axis=-1)[..., :-1]
    return np.where(_is_empty(reference, current), 0.0, np.abs(difference).mean(axis=-1))


def compare_counts(
    reference: np.ndarray, current: np.ndarray, *, ordered: int, calibration: Calibration
) -> tuple[Measure, ...]:
    """Compare the bin counts of one column, each statistic with its threshold at these sizes.

    Parameters
    ----------
    reference, current : shape (bins,)
        Counts; both sides hold rows.
    ordered
        How many leading bins have an order; 0 leaves out the shift.
    calibration
        Shared by all columns of the window.
    """
    statistics: dict[str, Statistic] = {DISTANCE: total_variation}
    if ordered > 1:
        statistics[SHIFT] = lambda left, right: cumulative_shift(left[..., :ordered], right[..., :ordered])
    nulls = _permute(reference + current, rows=int(current.sum()), statistics=statistics, plan=calibration)
    return tuple(
        calibration.measure(name, value=float(statistic(reference, current)), null=nulls[name])
        for name, statistic in statistics.items()
    )


def compare_new_categories(
    reference: Mapping[str, int], current: Mapping[str, int], *, calibration: Calibration
) -> Measure:
    """Compare the share of rows of categories that the reference never saw with what chance explains.

    A column of many rare values shows new ones in every window. Deal the pooled rows again: a category of c
    rows falls wholly into the window with the probability of drawing c times from the window's rows alone,
    and is then new. Categories are dealt independently, which is slightly too generous to chance.

    Parameters
    ----------
    reference, current
        Rows by category, without missing values; both hold rows.
    calibration
        Shared by all columns of the window.
    """
    rows, known_rows = sum(current.values()), sum(reference.values())
    pooled = np.array([reference.get(name, 0) + current.get(name, 0) for name in {**reference, **current}])
    sizes, categories = np.unique(pooled[pooled <= rows], return_counts=True)
    generator = np.random.default_rng(calibration.seed)
    null = np.zeros(calibration.resamples)
    for size, number in zip(sizes, categories, strict=True):
        chance = math.exp(_log_chance_of_window(int(size), rows=rows, total=rows + known_rows))
        if number * chance * calibration.resamples > 1e-6:
            null += size * generator.binomial(number, chance, size=calibration.resamples)
    new_rows = sum(count for name, count in current.items() if name not in reference)
    return calibration.measure(NEW_CATEGORIES, value=new_rows / rows, null=np.minimum(null / rows, 1.0))


def _shares(counts: np.ndarray) -> np.ndarray:
    shares: np.ndarray = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    return shares


def _is_empty(reference: np.ndarray, current: np.ndarray) -> np.ndarray:
    empty: np.ndarray = (reference.sum(axis=-1) == 0) | (current.sum(axis=-1) == 0)
    return empty


def _permute(
    pool: np.ndarray, *, rows: int, statistics: Mapping[str, Statistic], plan: Calibration
) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(plan.seed)
    nulls = {name: np.empty(plan.resamples) for name in statistics}
    for first in range(0, plan.resamples, _DRAWS_AT_ONCE):
        last = min(first + _DRAWS_AT_ONCE, plan.resamples)
        dealt = generator.multivariate_hypergeometric(pool, rows, size=last - first, method="marginals")
        for name, statistic in statistics.items():
            nulls[name][first:last] = statistic(pool - dealt, dealt)
    return nulls


def _log_chance_of_window(size: int, *, rows: int, total: int) -> float:
    """Logarithm of the chance that ``size`` rows all fall among ``rows`` of ``total``."""
    return (
        math.lgamma(rows + 1)
        - math.lgamma(rows - size + 1)
        - math.lgamma(total + 1)
        + math.lgamma(total - size + 1)
    )
