"""Areas under ranking curves for many row weights at once: sort the scores once, then only add up."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Rows in falling order of a score, ties grouped.

    Parameters
    ----------
    order : shape (n,)
        Row numbers, highest score first.
    starts : shape (groups,)
        Where in ``order`` each group of equal scores begins.
    """

    order: np.ndarray
    starts: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A ranking and where its positives stand: what the areas need to know beside weights.

    Parameters
    ----------
    order : shape (n,)
        Row numbers, highest score first; None where the rows are in that order.
    positives : shape (positives,)
        Their places in the order.
    starts, ends : shape (groups,)
        Where each group of equal scores that has a positive begins, and where it has ended, in the order.
    positive_starts, positive_ends : shape (groups,)
        The same among ``positives``.
    """

    order: np.ndarray | None
    positives: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    positive_starts: np.ndarray
    positive_ends: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Areas:
    """Areas under two curves, NaN where undefined; shape (resamples,), or stacked by class."""

    roc: np.ndarray
    precision_recall: np.ndarray


def rank(scores: np.ndarray) -> Ranking:
    """Sort scores of shape (n,) from high to low and find the ties."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.nan))
    return Ranking(order=order, starts=starts)


def trace(ranking: Ranking, *, positive: np.ndarray) -> Trace:
    """Find where in a ranking the positives stand.

    Parameters
    ----------
    positive : shape (n,)
        Whether each row is truly positive.
    """
    rows = len(ranking.order)
    is_sorted = bool((ranking.order == np.arange(rows)).all())
    positives = np.flatnonzero(np.asarray(positive)[ranking.order])
    groups = np.unique(np.searchsorted(ranking.starts, positives, side="right") - 1)
    starts, ends = ranking.starts[groups], np.append(ranking.starts, rows)[groups + 1]
    return Trace(
        order=None if is_sorted else ranking.order,
        positives=positives,
        starts=starts,
        ends=ends,
        positive_starts=np.searchsorted(positives, starts),
        positive_ends=np.searchsorted(positives, ends),
    )


def weighted_areas(traced: Trace, *, weights: np.ndarray) -> Areas:
    """Compute the area under the ROC curve and the average precision for each row of weights.

    Parameters
    ----------
    traced
        The ranking of the scores, and its positives.
    weights : shape (resamples, n)

    References
    ----------
    Hanley and McNeil (1982), "The meaning and use of the area under a receiver operating characteristic (ROC)
    curve", equation 1: the area is the share of pairs of a positive and a negative that are ranked rightly.
    """
    # take() is up to twice as fast as an index in brackets.
    ordered = weights if traced.order is None else weights.take(traced.order, axis=1)
    above = _running(ordered)
    positives_above = _running(ordered.take(traced.positives, axis=1))
    before = positives_above.take(traced.positive_starts, axis=1)
    after = positives_above.take(traced.positive_ends, axis=1)
    positives, all_above = after - before, above.take(traced.ends, axis=1)
    all_positives = positives_above[:, -1]
    # For each positive, the negatives above it are ranked wrongly and those beside it half so.
    negatives_above = above.take(traced.starts, axis=1) - before
    wrong = np.einsum("ij,ij->i", positives, (negatives_above + (all_above - after)) / 2)
    found = np.einsum("ij,ij->i", positives, divide(after, all_above, otherwise=0.0))
    return Areas(
        roc=1 - divide(wrong, all_positives * (above[:, -1] - all_positives), otherwise=np.nan),
        precision_recall=divide(found, all_positives, otherwise=np.nan),
    )


def _running(weights: np.ndarray) -> np.ndarray:
    """Return the sums of the first 0, 1, 2 … columns."""
    sums = np.empty((len(weights), weights.shape[1] + 1))
    sums[:, 0] = 0
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums


def divide(numerator: np.ndarray, denominator: np.ndarray, *, otherwise: float) -> np.ndarray:
    """Divide element by element, with a given value where the denominator is not above 0."""
    result: np.ndarray = np.divide(
        numerator, denominator, out=np.full_like(numerator, otherwise), where=denominator > 0
    )
    return result
