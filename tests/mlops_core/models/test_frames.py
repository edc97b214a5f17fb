"""Frames are brought to the same columns and types, whatever rows they happen to hold."""

import datetime as dt
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_core.errors import DataRejectedError, DeclarationError
from mlops_core.models.frames import conform, feature_types

FEATURES = {"amount": "double", "colour": "string", "member": "boolean", "at": "datetime"}
ROW: dict[str, Any] = {"amount": 1, "colour": "red", "member": True, "at": "2013-01-31T10:00:00"}


def dtypes(frame: pd.DataFrame) -> list[str]:
    return [str(dtype) for dtype in frame.dtypes]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2], "double"),
        ([1.5, None], "double"),
        (pd.array([1, None], dtype="Int64"), "double"),
        ([decimal.Decimal("1.5"), None], "double"),
        ([True, False], "boolean"),
        ([True, None], "boolean"),
        (pd.array([True, None], dtype="boolean"), "boolean"),
        (["a", None], "string"),
        (pd.Categorical(["a", None]), "string"),
        (pd.Categorical([1, 2]), "double"),
        ([dt.date(2013, 1, 1), None], "datetime"),
        (pd.to_datetime(["2013-01-01T00:00:00Z"]), "datetime"),
    ],
)
def test_a_columns_type_does_not_depend_on_its_gaps(values: Any, expected: str) -> None:
    assert feature_types(pd.DataFrame({"x": values})) == {"x": expected}


@pytest.mark.parametrize("values", [[None, None], [[1], [2]], ["a", 1], [1j, 2j]])
def test_a_column_that_is_no_feature_is_named(values: list[Any]) -> None:
    with pytest.raises(DeclarationError, match=r"'x' holds .* which are no feature"):
        feature_types(pd.DataFrame({"x": pd.Series(values, dtype=complex if values == [1j, 2j] else object)}))


def test_columns_are_found_by_name_and_put_in_order() -> None:
    frame = pd.DataFrame([{"other": 5, "at": ROW["at"], "member": True, "colour": "red", "amount": 1}])

    conformed = conform(frame, FEATURES)

    assert list(conformed.columns) == list(FEATURES)
    assert dtypes(conformed) == ["float64", "str", "float64", "datetime64[us]"]


def test_a_row_of_nothing_has_the_same_types_as_a_full_one() -> None:
    empty = conform(pd.DataFrame([dict.fromkeys(FEATURES)]), FEATURES)

    assert dtypes(empty) == dtypes(conform(pd.DataFrame([ROW]), FEATURES))
    assert empty.isna().all(axis=None)


def test_a_conformed_frame_conforms_to_itself() -> None:
    once = conform(pd.DataFrame([ROW]), FEATURES)

    pd.testing.assert_frame_equal(conform(once, FEATURES), once)


def test_the_argument_is_left_as_it_is() -> None:
    frame = pd.DataFrame([ROW])
    before = frame.copy()

    conformed = conform(frame, FEATURES)
    conformed.loc[0, "amount"] = 99.0

    pd.testing.assert_frame_equal(frame, before)


def test_the_rows_keep_their_index() -> None:
    frame = pd.DataFrame([ROW, ROW], index=[7, 3])

    assert conform(frame, FEATURES).index.tolist() == [7, 3]


def test_times_with_a_zone_become_utc() -> None:
    frame = pd.DataFrame([{**ROW, "at": "2013-01-31T10:00:00+02:00"}])

    assert conform(frame, FEATURES)["at"].iloc[0] == pd.Timestamp("2013-01-31T08:00:00")


def test_missing_columns_are_named_with_what_is_needed() -> None:
    with pytest.raises(
        DataRejectedError, match="lack the features amount, at; the model needs amount, colour"
    ):
        conform(pd.DataFrame([{"colour": "red", "member": True}]), FEATURES)


def test_two_columns_of_one_name_are_refused() -> None:
    frame = pd.DataFrame([[1.0, 2.0]], columns=["amount", "amount"])

    with pytest.raises(DataRejectedError, match="two columns of one name"):
        conform(frame, {"amount": "double"})


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("amount", "12"),
        ("amount", [1]),
        ("colour", 5),
        ("colour", True),
        ("member", "yes"),
        ("member", 2),
        ("member", 0.5),
        ("at", 20130131),
        ("at", "yesterday"),
    ],
)
def test_a_value_of_another_type_is_named(column: str, value: object) -> None:
    with pytest.raises(DataRejectedError, match=f"column '{column}' has .* values that are no"):
        conform(pd.DataFrame([{**ROW, column: value}]), FEATURES)


def test_infinity_stays_what_it_is() -> None:
    assert np.isinf(conform(pd.DataFrame([{**ROW, "amount": np.inf}]), FEATURES)["amount"].iloc[0])
