import numpy as np
import pytest

from evaluation_examples import BINARY, MULTICLASS, REGRESSION, binary_outcome, random_outcome
from mlops_core.evaluation.catalogue import find_metric
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.tables import calibration, confusion_matrix


def test_a_confusion_matrix_counts_rows_by_true_and_predicted_class() -> None:
    matrix = confusion_matrix(binary_outcome([1, 0, 1, 1, 0], [0.9, 0.8, 0.7, 0.4, 0.1]))

    assert matrix is not None
    assert matrix.classes == ("no", "yes")
    assert matrix.counts == ((1, 1), (1, 2))


def test_regression_has_no_confusion_matrix() -> None:
    assert confusion_matrix(random_outcome(REGRESSION)) is None


def test_the_rarest_of_many_classes_are_counted_together_and_no_row_is_lost() -> None:
    truth = np.repeat(np.arange(30), np.arange(30, 0, -1))
    outcome = Outcome(
        task=MULTICLASS,
        truth=truth,
        scores=np.eye(30)[truth],
        labels=truth,
        classes=tuple(f"class {number}" for number in range(30)),
    )

    matrix = confusion_matrix(outcome)

    assert matrix is not None
    assert matrix.classes == (*(f"class {number}" for number in range(19)), "11 rarer classes")
    assert matrix.counts[19][19] == sum(range(1, 12))
    assert sum(map(sum, matrix.counts)) == outcome.rows


def test_calibration_compares_the_mean_probability_of_a_bin_with_the_share_that_came_true() -> None:
    bins = calibration(binary_outcome([0, 1, 0, 1], [0.1, 0.11, 0.19, 1.0]))

    assert [(level.lower, level.rows, level.observed) for level in bins] == [
        (pytest.approx(0.1), 3, pytest.approx(1 / 3)),
        (pytest.approx(0.9), 1, 1.0),
    ]
    assert bins[0].predicted == pytest.approx((0.1 + 0.11 + 0.19) / 3)


@pytest.mark.parametrize("task", [BINARY, MULTICLASS])
def test_the_expected_calibration_error_is_the_tables_mean_gap(task: str) -> None:
    outcome = random_outcome(task)

    bins = calibration(outcome)

    gap = sum(level.rows * abs(level.predicted - level.observed) for level in bins) / outcome.rows
    assert find_metric("expected_calibration_error").compute(outcome) == pytest.approx(gap, abs=1e-12)


def test_regression_is_calibrated_by_tenths_of_the_predicted_values() -> None:
    outcome = random_outcome(REGRESSION)

    bins = calibration(outcome)

    assert [level.rows for level in bins] == [30] * 10
    assert bins[0].lower == outcome.scores.min()
    assert bins[-1].upper == outcome.scores.max()


def test_a_model_that_always_predicts_the_same_has_one_bin() -> None:
    outcome = Outcome(
        task=REGRESSION, truth=np.array([1.0, 3.0]), scores=np.full(2, 5.0), labels=np.full(2, 5.0)
    )

    [level] = calibration(outcome)

    assert (level.rows, level.predicted, level.observed) == (2, 5, 2)
