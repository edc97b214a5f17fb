"""Rates and measures against fairlearn and against hand computation."""

from typing import get_args

import numpy as np
import pytest
from fairlearn import metrics

from evaluation_examples import BINARY, MULTICLASS, random_outcome
from mlops_core.errors import EvaluationError
from mlops_core.evaluation.group_rates import Rates, compared_classes, measure_of, point_value, worst
from mlops_core.gates import FairnessMeasure

MEASURES = get_args(FairnessMeasure)
REFERENCE = {
    "demographic_parity_difference": metrics.demographic_parity_difference,
    "disparate_impact_ratio": metrics.demographic_parity_ratio,
    "equal_opportunity_difference": metrics.equal_opportunity_difference,
    "equalized_odds_difference": metrics.equalized_odds_difference,
}
CODES = np.random.default_rng(1).integers(3, size=300)
LABELS = ("a", "b", "c")


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("task", [BINARY, MULTICLASS])
def test_a_measure_equals_fairlearns_row_by_row(task: object, measure: FairnessMeasure) -> None:
    outcome = random_outcome(task)
    rates = measure_of(measure, Rates.of(outcome, codes=CODES, groups=3))[0]

    for place, number in enumerate(compared_classes(outcome)):
        truth, labels = outcome.truth == number, outcome.labels == number
        expected = REFERENCE[measure](truth, labels, sensitive_features=CODES)
        value = point_value(measure, outcome, codes=CODES, labels=LABELS, of_class=number)
        assert value == pytest.approx(expected, abs=1e-12)
        assert rates[place] == pytest.approx(expected, abs=1e-12)


def test_resamples_spread_as_resampled_rows_do() -> None:
    outcome = random_outcome(BINARY)
    random = np.random.default_rng(5)
    by_rows = []
    for _ in range(400):
        drawn = random.integers(300, size=300)
        rates = Rates.of(outcome.take(drawn), codes=CODES[drawn], groups=3)
        by_rows.append(measure_of("equal_opportunity_difference", rates)[0, 0])

    drawn_rates = Rates.resampled(outcome, codes=CODES, groups=3, resamples=400, seed=0)
    by_kind = measure_of("equal_opportunity_difference", drawn_rates)[:, 0]

    assert by_kind.mean() == pytest.approx(np.mean(by_rows), abs=0.01)
    assert by_kind.std() == pytest.approx(np.std(by_rows), rel=0.15)


def test_the_same_seed_draws_the_same_resamples() -> None:
    outcome = random_outcome(BINARY)
    one, other, another = (
        Rates.resampled(outcome, codes=CODES, groups=3, resamples=5, seed=seed).selection
        for seed in (0, 0, 1)
    )

    assert np.array_equal(one, other)
    assert not np.array_equal(one, another)


def test_the_worst_class_has_the_least_ratio_and_the_greatest_difference() -> None:
    by_class = np.array([[0.5, 0.9], [np.nan, 0.9]])

    assert worst("disparate_impact_ratio", by_class)[0] == 0.5
    assert worst("demographic_parity_difference", by_class)[0] == 0.9
    assert np.isnan(worst("demographic_parity_difference", by_class)[1])


def test_a_group_without_positives_leaves_opportunity_undefined_and_parity_defined() -> None:
    outcome = random_outcome(BINARY)
    codes = np.where((np.arange(300) < 10) & (outcome.truth == 0), 1, 0)

    with pytest.raises(EvaluationError, match="undefined: the groups b have no row of class b"):
        point_value("equal_opportunity_difference", outcome, codes=codes, labels=("a", "b"), of_class=1)
    assert (
        point_value("demographic_parity_difference", outcome, codes=codes, labels=("a", "b"), of_class=1) > 0
    )
    rates = Rates.of(outcome, codes=codes, groups=2)
    assert np.isnan(measure_of("equalized_odds_difference", rates)[0, 0])


def test_a_group_of_positives_alone_leaves_odds_undefined() -> None:
    outcome = random_outcome(BINARY)
    codes = np.where((np.arange(300) < 10) & (outcome.truth == 1), 1, 0)

    with pytest.raises(EvaluationError, match="the groups b have no row of another class than b"):
        point_value("equalized_odds_difference", outcome, codes=codes, labels=("a", "b"), of_class=1)


def test_a_class_that_nobody_is_given_leaves_the_ratio_undefined() -> None:
    outcome = random_outcome(BINARY)
    never = type(outcome)(**{**vars(outcome), "labels": np.zeros(300, dtype=int)})

    with pytest.raises(EvaluationError, match="no row of any group is predicted b"):
        point_value("disparate_impact_ratio", never, codes=CODES, labels=LABELS, of_class=1)
    assert np.isnan(measure_of("disparate_impact_ratio", Rates.of(never, codes=CODES, groups=3))[0, 0])
