import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlops_core.monitoring.calibration import (
    Calibration,
    compare_counts,
    compare_new_categories,
    cumulative_shift,
    total_variation,
)

counts = arrays(np.int64, st.integers(1, 12), elements=st.integers(0, 500))


def pairs() -> st.SearchStrategy[tuple[np.ndarray, np.ndarray]]:
    return counts.flatmap(
        lambda first: st.tuples(st.just(first), arrays(np.int64, len(first), elements=st.integers(0, 500)))
    )


def plan(*, level: float, resamples: int = 1999) -> Calibration:
    return Calibration(tests=1, level=level, resamples=resamples, seed=0)


def test_the_distance_of_two_bins_is_the_share_that_moved() -> None:
    assert total_variation(np.array([50, 50]), np.array([30, 70])) == pytest.approx(0.2)


def test_the_distance_weighs_shares_and_not_rows() -> None:
    assert total_variation(np.array([500, 500]), np.array([3, 7])) == pytest.approx(0.2)


def test_the_shift_is_the_mean_distance_of_the_cumulative_shares() -> None:
    # Cumulative: 0.25, 0.50 against 0.50, 0.75; the last edge is 1 on both sides.
    assert cumulative_shift(np.array([10, 10, 20]), np.array([20, 10, 10])) == pytest.approx(0.25)


def test_the_shift_knows_the_order_of_the_bins_and_the_distance_does_not() -> None:
    reference = np.array([100, 0, 0, 0])
    near, far = np.array([0, 100, 0, 0]), np.array([0, 0, 0, 100])
    assert total_variation(reference, near) == total_variation(reference, far) == 1
    assert cumulative_shift(reference, near) == pytest.approx(1 / 3)
    assert cumulative_shift(reference, far) == 1


@given(pairs())
def test_both_statistics_lie_between_0_and_1(sides: tuple[np.ndarray, np.ndarray]) -> None:
    for statistic in (total_variation, cumulative_shift):
        assert 0 <= statistic(*sides) <= 1 + 1e-12


@given(pairs())
def test_both_statistics_are_the_same_from_either_side(sides: tuple[np.ndarray, np.ndarray]) -> None:
    first, second = sides
    assert total_variation(first, second) == pytest.approx(total_variation(second, first))
    assert cumulative_shift(first, second) == pytest.approx(cumulative_shift(second, first))


@given(counts, st.integers(1, 50))
def test_equal_shares_have_no_distance_at_any_size(first: np.ndarray, times: int) -> None:
    assert total_variation(first, first * times) == pytest.approx(0, abs=1e-12)
    assert cumulative_shift(first, first * times) == pytest.approx(0, abs=1e-12)


@given(pairs())
def test_the_shift_never_exceeds_the_distance(sides: tuple[np.ndarray, np.ndarray]) -> None:
    assert cumulative_shift(*sides) <= total_variation(*sides) + 1e-12


def test_the_threshold_is_the_resampled_value_of_the_rank_that_the_level_allows() -> None:
    # Nine resamples and the observed value are ten; a level of 0.2 allows two of them.
    null = np.arange(9) / 10
    above = plan(level=0.2, resamples=9).measure("distance", value=0.75, null=null)
    at = plan(level=0.2, resamples=9).measure("distance", value=0.7, null=null)
    assert above.threshold == at.threshold == 0.7
    assert above.p_value == pytest.approx(2 / 10)
    assert above.exceeds
    assert at.p_value == pytest.approx(3 / 10)
    assert not at.exceeds


@given(
    st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3]), min_size=19, max_size=60),
    st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.4]),
    st.sampled_from([0.05, 0.1, 0.25, 0.5]),
)
def test_a_value_exceeds_its_threshold_exactly_when_its_p_value_is_at_most_the_level(
    null: list[float], value: float, level: float
) -> None:
    calibration = plan(level=level, resamples=len(null))
    measure = calibration.measure("distance", value=value, null=np.array(null))
    assert measure.exceeds == (measure.p_value <= level)


def test_the_null_distribution_is_that_of_dealing_the_pooled_rows_again() -> None:
    # Two rows of each bin, dealt two and two: 2 of the 6 deals put equal rows together, at distance 1.
    measures = [
        compare_counts(np.array([2, 0]), np.array([0, 2]), ordered=0, calibration=plan(level=level))[0]
        for level in (0.2, 0.4)
    ]
    assert measures[0].p_value == pytest.approx(1 / 3, abs=0.04)
    assert [measure.threshold for measure in measures] == [1, 0]
    assert [measure.exceeds for measure in measures] == [False, True]


def test_thresholds_fall_as_the_window_grows() -> None:
    reference = np.full(10, 1000)
    thresholds = [
        compare_counts(reference, np.full(10, rows // 10), ordered=10, calibration=plan(level=0.01))
        for rows in (50, 500, 5000)
    ]
    for index in (0, 1):
        falling = [measures[index].threshold for measures in thresholds]
        assert falling == sorted(falling, reverse=True)
        assert falling[0] > 2 * falling[2]


def test_a_small_reference_raises_the_threshold_as_a_small_window_does() -> None:
    small, large = (
        compare_counts(np.full(10, rows), np.full(10, 100), ordered=0, calibration=plan(level=0.01))[0]
        for rows in (10, 10_000)
    )
    assert small.threshold > 1.5 * large.threshold


def test_the_same_seed_gives_the_same_thresholds() -> None:
    sides = np.array([500, 300, 200]), np.array([40, 40, 20])
    first, again = (compare_counts(*sides, ordered=3, calibration=plan(level=0.01)) for _ in range(2))
    assert first == again


def test_a_level_is_the_share_of_the_window_rate_that_one_test_may_use() -> None:
    calibration = Calibration.of(columns=16, false_alarm_rate=0.01, seed=0)
    assert calibration.level == pytest.approx(0.01 / 32)
    assert calibration.adjust(calibration.level) == pytest.approx(0.01)


@pytest.mark.parametrize("columns", [1, 16, 300, 3000])
@pytest.mark.parametrize("rate", [0.001, 0.01, 0.2])
def test_the_resamples_can_show_a_p_value_as_small_as_the_level(columns: int, rate: float) -> None:
    calibration = Calibration.of(columns=columns, false_alarm_rate=rate, seed=0)
    assert 1 / (calibration.resamples + 1) <= calibration.level
    assert calibration.exceedances / (calibration.resamples + 1) <= calibration.level * (1 + 1e-9)


def test_new_categories_of_a_column_of_rare_values_are_chance() -> None:
    # Every reference value was seen once, so a window of other values seen once is what to expect.
    reference = {f"tail-{number}": 1 for number in range(1000)}
    current = {f"new-{number}": 1 for number in range(100)}
    measure = compare_new_categories(reference, current, calibration=plan(level=0.01))
    assert measure.value == 1
    assert not measure.exceeds


def test_the_chance_of_a_new_category_is_that_of_its_rows_all_falling_into_the_window() -> None:
    # Ten rows, two of them the window's; the one row of "b" is the window's in 2 of 10 deals.
    reference, current = {"a": 8}, {"a": 1, "b": 1}
    allowed, refused = (
        compare_new_categories(reference, current, calibration=plan(level=level)) for level in (0.1, 0.3)
    )
    assert allowed.value == 0.5
    assert allowed.p_value == pytest.approx(0.2, abs=0.03)
    assert allowed.threshold == 0.5
    assert refused.threshold == 0


def test_a_new_category_among_common_ones_is_no_chance() -> None:
    reference = {"a": 6000, "b": 4000}
    measure = compare_new_categories(reference, {"a": 60, "b": 37, "c": 3}, calibration=plan(level=0.001))
    assert measure.value == pytest.approx(0.03)
    assert measure.exceeds
