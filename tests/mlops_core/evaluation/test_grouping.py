import datetime as dt

import numpy as np
import pandas as pd
import pytest

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.grouping import Groups, group


def of(values: object, **options: object) -> Groups:
    return group(pd.DataFrame({"x": values}), "x", **options)


def sizes(groups: Groups) -> dict[str, int]:
    return dict(zip(groups.labels, groups.sizes.tolist(), strict=True))


def test_every_text_is_a_group_and_a_gap_is_one_of_its_own() -> None:
    groups = of(["EWR", "JFK", None, "EWR"])

    assert sizes(groups) == {"EWR": 2, "JFK": 1, "(missing)": 1}
    assert groups.codes.tolist() == [0, 1, 2, 0]
    assert groups.names == ("x = EWR", "x = JFK", "x = (missing)")


def test_many_numbers_are_grouped_by_quartile() -> None:
    groups = of(np.arange(1, 101))

    assert sizes(groups) == {
        "up to 25": 25,
        "above 25, up to 50": 25,
        "above 50, up to 75": 25,
        "above 75": 25,
    }
    assert groups.codes[[0, 24, 25, 99]].tolist() == [0, 0, 1, 3]


def test_a_value_that_fills_most_quarters_leaves_no_empty_group() -> None:
    assert sizes(of([0.0] * 80 + list(range(1, 21)))) == {"up to 0": 80, "above 0": 20}


def test_a_largest_value_that_fills_most_quarters_leaves_no_empty_group() -> None:
    assert sizes(of([*range(20), *[99] * 80])) == {"all": 100}


def test_few_numbers_are_a_group_each() -> None:
    assert sizes(of([1, 2, 2, 3.5, None])) == {"2": 2, "1": 1, "3.5": 1, "(missing)": 1}


def test_infinite_numbers_are_grouped_too() -> None:
    groups = of([*range(20), np.inf, -np.inf])

    assert groups.codes[20] == len(groups.labels) - 1
    assert groups.codes[21] == 0
    assert sum(groups.sizes) == 22


def test_booleans_with_a_gap_are_three_groups() -> None:
    assert sizes(of([True, False, None, True])) == {"true": 2, "false": 1, "(missing)": 1}


def test_many_times_are_grouped_by_quartile() -> None:
    groups = of([dt.datetime(2013, 1, day) for day in range(1, 21)])

    assert groups.labels[0] == "up to 2013-01-05 00:00:00"
    assert groups.sizes.tolist() == [5, 5, 5, 5]


def test_the_rarest_values_are_one_group_together() -> None:
    values = [f"v{number:02}" for number in range(60) for _ in range(60 - number)]

    groups = of(values, most=50)

    assert len(groups.labels) == 50
    assert groups.labels[0] == "v00"
    assert groups.labels[-1] == "(11 rarer values)"
    assert groups.sizes[-1] == sum(range(1, 12))
    assert groups.pooled == 49


def test_a_value_of_enough_rows_is_never_put_together_with_others() -> None:
    values = [*(f"v{number:02}" for number in range(60) for _ in range(30)), *["w"] * 29, *["x"] * 29]

    groups = of(values, most=50, minimum_rows=30)

    assert groups.labels[:60] == tuple(f"v{number:02}" for number in range(60))
    assert groups.labels[60:] == ("(2 rarer values)",)
    assert groups.sizes.tolist() == [30] * 60 + [58]
    assert groups.pooled == 60


def test_more_values_of_enough_rows_than_can_be_groups_are_refused_with_their_number() -> None:
    values = [f"v{number}" for number in range(501) for _ in range(3)]

    with pytest.raises(
        EvaluationError, match=r"sensitive: 501 values of 'x' have 3 rows or more; at most 500 can be groups"
    ):
        of(values, minimum_rows=3, declared_in="evaluation.fairness.sensitive")
    assert len(of(values[3:], minimum_rows=3).labels) == 500


def test_as_many_values_as_allowed_are_a_group_each() -> None:
    assert len(of([f"v{number}" for number in range(50)], most=50).labels) == 50


def test_values_that_are_no_feature_are_grouped_by_their_text() -> None:
    assert sizes(of([[1, 2], [1, 2], None, {"a": 1}])) == {"[1, 2]": 2, "{'a': 1}": 1, "(missing)": 1}


def test_a_column_without_any_value_is_one_group() -> None:
    assert sizes(of([None, None])) == {"(missing)": 2}


def test_an_unknown_column_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(EvaluationError, match=r"slices.columns: the held-out rows lack 'y'; they have x"):
        group(pd.DataFrame({"x": [1]}), "y", declared_in="evaluation.slices.columns")
