"""Rates of decisions by group, and the fairness measures that compare them.

References
----------
Hardt, Price and Srebro (2016), "Equality of opportunity in supervised learning", definitions 2.1 and 2.2.
The four-fifths rule: Uniform Guidelines on Employee Selection Procedures (1978), 29 CFR 1607.4 D.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import sparse

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.ranking import divide
from mlops_core.gates import FairnessMeasure


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Rates of each class against the rest, of shape (resamples, groups, classes); NaN where no row is.

    Binary classification has one class, the positive one.
    """

    selection: np.ndarray
    true_positive: np.ndarray
    false_positive: np.ndarray

    @classmethod
    def of(cls, outcome: Outcome, *, codes: np.ndarray, groups: int) -> Self:
        """Return the rates of all rows, as one resample.

        Parameters
        ----------
        codes : shape (rows,)
            Each row's group, from 0 to ``groups - 1``.
        """
        cells, counts = _cells(outcome, codes)
        return cls._of_counts(counts[None, :], cells, outcome=outcome, groups=groups)

    @classmethod
    def resampled(
        cls, outcome: Outcome, *, codes: np.ndarray, groups: int, resamples: int, seed: int
    ) -> Self:
        """Return the rates in bootstrap resamples of the rows.

        Rows of one group, truth and decision are alike to a rate, so that a resample is one draw of how many
        there are of each: the multinomial distribution.
        """
        cells, counts = _cells(outcome, codes)
        generator = np.random.default_rng(seed)
        drawn = generator.multinomial(outcome.rows, counts / counts.sum(), size=resamples)
        return cls._of_counts(drawn, cells, outcome=outcome, groups=groups)

    @classmethod
    def _of_counts(cls, counts: np.ndarray, cells: np.ndarray, *, outcome: Outcome, groups: int) -> Self:
        group, truth, label = cells
        classes = len(outcome.classes)

        def total(where: np.ndarray, chosen: np.ndarray) -> np.ndarray:
            places = (np.flatnonzero(chosen), (group * classes + where)[chosen])
            members = sparse.csr_array(
                (np.ones(chosen.sum()), places), shape=(counts.shape[1], groups * classes)
            )
            return np.asarray(counts @ members).reshape(len(counts), groups, classes)

        every = np.ones(len(group), dtype=bool)
        selected, positive = total(label, every), total(truth, every)
        both, rows = total(truth, truth == label), positive.sum(axis=2, keepdims=True)
        kept = slice(1, 2) if outcome.task is Task.BINARY_CLASSIFICATION else slice(None)
        return cls(
            selection=_share(selected, rows)[:, :, kept],
            true_positive=_share(both, positive)[:, :, kept],
            false_positive=_share(selected - both, rows - positive)[:, :, kept],
        )


def compared_classes(outcome: Outcome) -> tuple[int, ...]:
    """Return which classes the rates are of, in their order."""
    return (1,) if outcome.task is Task.BINARY_CLASSIFICATION else tuple(range(len(outcome.classes)))


def worst(measure: FairnessMeasure, by_class: np.ndarray) -> np.ndarray:
    """Return the worst class's value along the last axis; NaN where that of any class is undefined."""
    extreme: np.ndarray = by_class.min(axis=-1) if is_ratio(measure) else by_class.max(axis=-1)
    return extreme


def is_ratio(measure: FairnessMeasure) -> bool:
    """Whether more is better."""
    return measure == "disparate_impact_ratio"


def measure_of(measure: FairnessMeasure, rates: Rates) -> np.ndarray:
    """Return a measure of shape (resamples, classes), over all groups; NaN where a group has no rate."""
    match measure:
        case "demographic_parity_difference":
            return _spread(rates.selection)
        case "disparate_impact_ratio":
            return _share(rates.selection.min(axis=1), rates.selection.max(axis=1))
        case "equal_opportunity_difference":
            return _spread(rates.true_positive)
        case "equalized_odds_difference":
            larger: np.ndarray = np.maximum(_spread(rates.true_positive), _spread(rates.false_positive))
            return larger


def point_value(
    measure: FairnessMeasure, outcome: Outcome, *, codes: np.ndarray, labels: tuple[str, ...], of_class: int
) -> float:
    """Return a measure of one class against the rest on all rows.

    Raises
    ------
    EvaluationError
        If a group has no row that a rate needs, or no group is ever given the class.
    """
    from fairlearn import metrics

    compute = {
        "demographic_parity_difference": metrics.demographic_parity_difference,
        "disparate_impact_ratio": metrics.demographic_parity_ratio,
        "equal_opportunity_difference": metrics.equal_opportunity_difference,
        "equalized_odds_difference": metrics.equalized_odds_difference,
    }[measure]
    # Fairlearn is given each kind of row once, weighted by how many there are: the same rates, far sooner.
    (group, truth, label), counts = _cells(outcome, codes)
    truth, chosen, name = truth == of_class, label == of_class, outcome.classes[of_class]
    # Fairlearn's rate of no rows is 0, which would look like a decision.
    if measure in {"equal_opportunity_difference", "equalized_odds_difference"}:
        _require(truth, f"of class {name}", group=group, labels=labels)
    if measure == "equalized_odds_difference":
        _require(~truth, f"of another class than {name}", group=group, labels=labels)
    if is_ratio(measure) and not chosen.any():
        raise EvaluationError(f"undefined: no row of any group is predicted {name}, so no rate is divided")
    value = compute(
        truth.astype(int), chosen.astype(int), sensitive_features=group, sample_weight=counts.astype(float)
    )
    return float(value)


def _cells(outcome: Outcome, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the group, truth and decision of each kind of row, shape (3, kinds), and how many there are."""
    classes = len(outcome.classes)
    kinds, counts = np.unique(
        (codes * classes + outcome.truth) * classes + outcome.labels, return_counts=True
    )
    return np.stack([kinds // classes**2, kinds // classes % classes, kinds % classes]), counts


def _require(wanted: np.ndarray, words: str, *, group: np.ndarray, labels: tuple[str, ...]) -> None:
    counts = np.bincount(group, weights=wanted, minlength=len(labels))
    without = [label for label, count in zip(labels, counts.tolist(), strict=True) if not count > 0]
    if without:
        raise EvaluationError(
            f"undefined: the groups {', '.join(without[:5])} have no row {words};"
            " hold out more rows, or raise evaluation.fairness.minimum_rows and leave small groups out"
        )


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return divide(part, np.broadcast_to(whole, part.shape), otherwise=np.nan)


def _spread(rates: np.ndarray) -> np.ndarray:
    spread: np.ndarray = rates.max(axis=1) - rates.min(axis=1)
    return spread
