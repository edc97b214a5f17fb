from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_core.monitoring.binning import ColumnKind, ReferenceColumn, kind_of, only_value

HUNDRED = list(range(1, 101))

floats = st.lists(st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)), max_size=60)
texts = st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "c", ""])), max_size=60)


def column(values: list[Any], type_: pa.DataType | None = None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, type=type_)])


def reference(values: list[Any], type_: pa.DataType | None = None) -> ReferenceColumn:
    return ReferenceColumn.of("x", column(values, type_))


def test_ordered_bins_hold_a_tenth_each_with_nothing_outside() -> None:
    bins = reference(HUNDRED)
    assert bins.counts == (0, *[10] * 10, 0, 0)
    assert bins.edges[1:] == (10, 20, 30, 40, 50, 60, 70, 80, 90, 100)


def test_values_beyond_the_reference_have_bins_of_their_own() -> None:
    counted = reference(HUNDRED).count(column([0.9, 1.0, 100.0, 100.1, -np.inf, np.inf]))
    assert counted.tolist() == [2, 1, *[0] * 8, 1, 2, 0]


def test_null_and_nan_are_missing() -> None:
    assert reference(HUNDRED).count(column([None, float("nan"), 5.0]))[-1] == 2


def test_many_equal_values_share_one_bin() -> None:
    bins = reference([0] * 60 + HUNDRED[:40])
    assert sum(bins.counts) == 100
    assert bins.counts[1] == 60


def test_a_reference_of_infinities_is_stored_as_finite_edges() -> None:
    bins = reference([float("inf"), float("-inf"), 1.0, 2.0])
    assert all(np.isfinite(bins.edges))
    assert (bins.counts[0], bins.counts[-2]) == (1, 1)
    assert reference([float("inf")] * 3).edges == ()


def test_common_categories_have_bins_and_rare_ones_share_one() -> None:
    bins = reference(["a"] * 50 + ["b"] * 30 + ["c"] * 3 + ["d"] * 2 + [None] * 5)
    assert bins.categories == ("a", "b")
    assert bins.counts == (50, 30, 5, 5)
    assert bins.known == {"a": 50, "b": 30, "c": 3, "d": 2}
    assert bins.count(column(["a", "c", "new", None])).tolist() == [1, 0, 2, 1]


def test_a_column_of_too_many_categories_keeps_none_but_the_common() -> None:
    bins = reference([f"tail-{number}" for number in range(3000)] + ["common"] * 20)
    assert bins.known is None
    assert bins.distinct == 3001
    assert bins.categories == ("common",)


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        (pa.int8(), ColumnKind.NUMBER),
        (pa.float32(), ColumnKind.NUMBER),
        (pa.decimal128(5, 2), ColumnKind.NUMBER),
        (pa.bool_(), ColumnKind.BOOLEAN),
        (pa.string(), ColumnKind.CATEGORY),
        (pa.large_string(), ColumnKind.CATEGORY),
        (pa.dictionary(pa.int32(), pa.string()), ColumnKind.CATEGORY),
        (pa.timestamp("ns", tz="UTC"), ColumnKind.TIME),
        (pa.date32(), ColumnKind.TIME),
        (pa.duration("s"), ColumnKind.DURATION),
        (pa.list_(pa.int64()), ColumnKind.OTHER),
        (pa.binary(), ColumnKind.OTHER),
        (pa.null(), ColumnKind.EMPTY),
    ],
)
def test_the_kind_says_how_values_are_compared(type_: pa.DataType, kind: ColumnKind) -> None:
    assert kind_of(type_) is kind


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([Decimal("1.50"), None], pa.decimal128(5, 2)),
        ([date(2013, 7, 1), None], pa.date32()),
        ([datetime(2013, 7, 1), None], pa.timestamp("s")),
        ([timedelta(seconds=2), None], pa.duration("ms")),
        ([True, None], pa.bool_()),
        ([[1], None], pa.list_(pa.int64())),
        ([b"x", None], pa.binary()),
        (["a", None], pa.dictionary(pa.int32(), pa.string())),
        ([None, None], pa.null()),
        ([None, None], pa.float64()),
        ([], pa.string()),
    ],
)
def test_every_type_is_counted_with_its_missing_values(values: list[Any], type_: pa.DataType) -> None:
    bins = reference(values, type_)
    assert bins.rows == len(values)
    assert bins.missing == values.count(None)
    assert bins.count(column(values, type_)).tolist() == list(bins.counts)


def test_another_unit_of_time_is_the_same_time() -> None:
    days = [datetime(2013, 7, day) for day in range(1, 31)]
    seconds, nanoseconds = (column(days, pa.timestamp(unit)) for unit in ("s", "ns"))
    bins = ReferenceColumn.of("x", seconds)
    assert bins.count(nanoseconds).tolist() == list(bins.counts)


@pytest.mark.parametrize(
    ("values", "only"),
    [
        ([3, 3, None], "3"),
        ([2.5, float("nan"), 2.5], "2.5"),
        (["a", "a"], "a"),
        ([False, None], "False"),
        ([1, 2], None),
        (["a", "b"], None),
        ([None, None], None),
        ([], None),
    ],
)
def test_a_constant_column_has_one_value(values: list[Any], only: str | None) -> None:
    assert only_value(column(values)) == only


@given(floats, floats, st.randoms())
def test_counts_do_not_depend_on_the_order_of_rows(known: list[Any], window: list[Any], random: Any) -> None:
    shuffled = random.sample(window, len(window))
    bins = reference(known, pa.float64())
    counted = bins.count(column(window, pa.float64()))
    assert counted.tolist() == bins.count(column(shuffled, pa.float64())).tolist()
    assert counted.sum() == len(window)


@given(st.one_of(floats, texts))
def test_a_reference_survives_json(values: list[Any]) -> None:
    bins = ReferenceColumn.of("x", pa.chunked_array([pa.array(values)]))
    assert ReferenceColumn.model_validate_json(bins.model_dump_json()) == bins


@given(texts, texts)
def test_every_row_falls_into_one_bin(known: list[Any], window: list[Any]) -> None:
    bins = reference(known, pa.string())
    assert bins.count(column(window, pa.string())).sum() == len(window)
