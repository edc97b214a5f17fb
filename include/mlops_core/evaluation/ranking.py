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
class Areas:
    """Areas under two curves, NaN where undefined; shape (resamples,), or stacked by class."""

    roc: np.ndarray
    precision_recall: np.ndarray


def rank(scores: np.ndarray) -> Ranking:
    """Sort scores of shape (n,) from high to low and find the ties."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.nan))
    return Ranking(order=order, starts=starts)


def weighted_areas(ranking: Ranking, *, positive: np.ndarray, weights: np.ndarray) -> Areas:
    """Compute the area under the ROC curve and the average precision for each row of weights.

    Parameters
    ----------
    ranking
        Of the scores.
    positive : shape (n,)
        Whether each row is truly positive.
    weights : shape (resamples, n)

    References
    ----------
    Hanley and McNeil (1982), "The meaning and use of the area under a receiver operating characteristic (ROC)
    curve", equation 1: the area is the share of pairs of a positive and a negative that are ranked rightly.
    """
    ordered = weights[:, ranking.order]
    positives = ordered * positive[ranking.order]
    negatives = ordered - positives
    if len(ranking.starts) < len(ranking.order):
        positives = np.add.reduceat(positives, ranking.starts, axis=1)
        negatives = np.add.reduceat(negatives, ranking.starts, axis=1)
    positives_above = np.cumsum(positives, axis=1)
    negatives_above = np.cumsum(negatives, axis=1)
    all_positives, all_negatives = positives_above[:, -1], negatives_above[:, -1]
    # For each positive, the negatives above it are ranked wrongly and those beside it half so.
    wrong = np.einsum("ij,ij->i", positives, negatives_above - negatives / 2)
    precisions = divide(positives_above, positives_above + negatives_above, otherwise=0.0)
    found = np.einsum("ij,ij->i", positives, precisions)
    return Areas(
        roc=1 - divide(wrong, all_positives * all_negatives, otherwise=np.nan),
        precision_recall=divide(found, all_positives, otherwise=np.nan),
    )


def divide(numerator: np.ndarray, denominator: np.ndarray, *, otherwise: float) -> np.ndarray:
    """Divide element by element, with a given value where the denominator is not above 0."""
    result: np.ndarray = np.divide(
        numerator, denominator, out=np.full_like(numerator, otherwise), where=denominator > 0
    )
    return result
