import numpy as np
import pytest

from mlops_core.evaluation.ranking import rank, trace, weighted_areas


def test_rows_are_ordered_from_high_to_low_and_ties_are_grouped() -> None:
    ranking = rank(np.array([0.2, 0.9, 0.2, 0.5]))

    assert ranking.order.tolist() == [1, 3, 0, 2]
    assert ranking.starts.tolist() == [0, 1, 2]


def test_a_weight_counts_like_a_row_that_occurs_that_often() -> None:
    scores, positive = np.array([0.9, 0.6, 0.6, 0.1]), np.array([True, False, True, False])
    drawn = np.array([0, 1, 1, 2, 2, 2, 3])

    weighted = weighted_areas(
        trace(rank(scores), positive=positive), weights=np.array([[1.0, 2.0, 3.0, 1.0]])
    )
    repeated = weighted_areas(trace(rank(scores[drawn]), positive=positive[drawn]), weights=np.ones((1, 7)))

    assert weighted.roc == pytest.approx(repeated.roc, abs=1e-15)
    assert weighted.precision_recall == pytest.approx(repeated.precision_recall, abs=1e-15)


def test_areas_are_undefined_where_the_weights_leave_one_class() -> None:
    areas = weighted_areas(
        trace(rank(np.array([0.9, 0.1])), positive=np.array([True, False])),
        weights=np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
    )

    assert np.isnan(areas.roc).tolist() == [True, True, False]
    assert np.isnan(areas.precision_recall).tolist() == [False, True, False]


@pytest.mark.parametrize("positive", [[False, False], [True, True]])
def test_areas_are_undefined_where_one_class_is_all(positive: list[bool]) -> None:
    traced = trace(rank(np.array([0.9, 0.1])), positive=np.array(positive))

    assert np.isnan(weighted_areas(traced, weights=np.ones((1, 2))).roc).all()


def test_rows_that_are_in_order_are_not_gathered() -> None:
    falling, rising = np.array([0.9, 0.5, 0.1]), np.array([0.1, 0.5, 0.9])
    positive = np.array([True, False, True])

    assert trace(rank(falling), positive=positive).order is None
    assert trace(rank(rising), positive=positive).order is not None


def test_a_positive_beside_a_negative_is_half_right() -> None:
    traced = trace(rank(np.array([0.5, 0.5])), positive=np.array([True, False]))

    assert weighted_areas(traced, weights=np.ones((1, 2))).roc == pytest.approx(0.5)
