"""Each metric against a value that was computed by hand."""

import math

import numpy as np
import pytest

from evaluation_examples import BINARY, MULTICLASS, REGRESSION, binary_outcome, random_outcome
from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import find_metric, metrics_for
from mlops_core.evaluation.outcome import Outcome

# Predicted at 0.5: rows 1, 2 and 3 positive. True positives 2, false positives 1, false negatives 1, true 1.
FIVE_ROWS = binary_outcome([1, 0, 1, 1, 0], [0.9, 0.8, 0.7, 0.4, 0.1])


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("accuracy", 3 / 5),
        ("precision", 2 / 3),
        ("recall", 2 / 3),
        ("f1", 2 / 3),
        # Of six pairs of a positive and a negative, 0.8 stands above 0.7 and 0.4.
        ("roc_auc", 4 / 6),
        # Precision where each positive is found: 1/1, 2/3, 3/4.
        ("average_precision", (1 + 2 / 3 + 3 / 4) / 3),
        ("log_loss", -math.log(0.9 * 0.2 * 0.7 * 0.4 * 0.9) / 5),
        ("brier_score", (0.01 + 0.64 + 0.09 + 0.36 + 0.01) / 5),
        # One row a bin: |0.9 - 1| + |0.8 - 0| + |0.7 - 1| + |0.4 - 1| + |0.1 - 0|.
        ("expected_calibration_error", (0.1 + 0.8 + 0.3 + 0.6 + 0.1) / 5),
    ],
)
def test_a_binary_metric_has_the_value_computed_by_hand(name: str, by_hand: float) -> None:
    assert find_metric(name).compute(FIVE_ROWS) == pytest.approx(by_hand, abs=1e-12)


# True a, b, c, c; predicted a, b, b, c.
FOUR_ROWS = Outcome(
    task=MULTICLASS,
    truth=np.array([0, 1, 2, 2]),
    scores=np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.5, 0.4], [0.2, 0.2, 0.6]]),
    labels=np.array([0, 1, 1, 2]),
    classes=("a", "b", "c"),
)


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("accuracy", 3 / 4),
        ("precision", (1 + 1 / 2 + 1) / 3),
        ("recall", (1 + 1 + 1 / 2) / 3),
        ("f1", (1 + 2 / 3 + 2 / 3) / 3),
        # Against the rest: a is always first; b ties with one of three; c is always first.
        ("roc_auc", (1 + 2.5 / 3 + 1) / 3),
        ("average_precision", (1 + 1 / 2 + 1) / 3),
        ("log_loss", -math.log(0.6 * 0.5 * 0.4 * 0.6) / 4),
        (
            "brier_score",
            ((0.16 + 0.09 + 0.01) + (0.04 + 0.25 + 0.09) + (0.01 + 0.25 + 0.36) + (0.04 + 0.04 + 0.16)) / 8,
        ),
        # Rows at 0.5: one of two right, so no gap; rows at 0.6: both right, a gap of 0.4 each.
        ("expected_calibration_error", 0.8 / 4),
    ],
)
def test_a_multiclass_metric_has_the_value_computed_by_hand(name: str, by_hand: float) -> None:
    assert find_metric(name).compute(FOUR_ROWS) == pytest.approx(by_hand, abs=1e-12)


THREE_VALUES = Outcome(
    task=REGRESSION,
    truth=np.array([1.0, 2.0, 6.0]),
    scores=np.array([2.0, 2.0, 4.0]),
    labels=np.array([2.0, 2.0, 4.0]),
)


@pytest.mark.parametrize(("name", "by_hand"), [("mae", 1.0), ("mse", 5 / 3), ("r2", 1 - 5 / 14)])
def test_a_regression_metric_has_the_value_computed_by_hand(name: str, by_hand: float) -> None:
    assert find_metric(name).compute(THREE_VALUES) == pytest.approx(by_hand, abs=1e-12)


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, REGRESSION])
def test_every_metric_of_a_task_lies_in_its_range(task: str) -> None:
    outcome = random_outcome(task)

    for metric in metrics_for(task):
        assert metric.holds(metric.compute(outcome)), metric.name


def test_precision_is_zero_when_nothing_is_predicted_positive() -> None:
    assert find_metric("precision").compute(binary_outcome([1, 0], [0.2, 0.1])) == 0


@pytest.mark.parametrize("name", ["recall", "f1"])
def test_metrics_of_the_positive_class_are_undefined_without_one(name: str) -> None:
    with pytest.raises(EvaluationError, match="none of the 2 held-out rows is of the positive class yes"):
        find_metric(name).compute(binary_outcome([0, 0], [0.2, 0.9]))


@pytest.mark.parametrize("truth", [[0, 0, 0], [1, 1, 1]])
@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_ranking_metrics_are_undefined_on_a_single_class(name: str, truth: list[int]) -> None:
    with pytest.raises(EvaluationError, match="undefined: none of the 3 held-out rows is of class"):
        find_metric(name).compute(binary_outcome(truth, [0.1, 0.5, 0.9]))


def test_roc_auc_names_the_class_that_no_row_has() -> None:
    outcome = FOUR_ROWS.take(np.array([0, 1]))

    with pytest.raises(EvaluationError, match=r"none of the 2 held-out rows is of class c;"):
        find_metric("roc_auc").compute(outcome)


def test_r2_is_undefined_when_the_target_is_constant() -> None:
    outcome = Outcome(task=REGRESSION, truth=np.array([7.0, 7.0]), scores=np.zeros(2), labels=np.zeros(2))

    with pytest.raises(EvaluationError, match="all 2 held-out rows have the same target 7"):
        find_metric("r2").compute(outcome)


def test_a_wrong_certainty_costs_much_and_not_infinitely_much() -> None:
    assert 30 < find_metric("log_loss").compute(binary_outcome([1], [0.0])) < 40
