"""Sorts the values of a column into the bins that its reference set.

The reference alone sets the bins, so that a window is counted the same way whatever it holds: ten of equal
share for a column with an order, one each for the common categories of another, and always one for missing
values, so that a change in missing values is a change of the distribution.
"""

import math
from enum import StrEnum
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from mlops_core.document import Document

_QUANTILE_BINS = 10
_CATEGORY_BINS = 30
_CATEGORY_ROWS = 20
"""Rarer categories share a bin: the commonest of many rare ones is so by luck, and less so in a window."""
_KNOWN_CATEGORIES = 2_000
_LONGEST_CATEGORY = 200


class ColumnKind(StrEnum):
    """What the values of a column are like; another Arrow type of the same kind is no change."""

    NUMBER = "number"
    TIME = "time"
    DURATION = "duration"
    CATEGORY = "category"
    BOOLEAN = "boolean"
    EMPTY = "empty"
    OTHER = "other"

    @property
    def is_ordered(self) -> bool:
        """Whether values are larger or smaller than others."""
        return self in {ColumnKind.NUMBER, ColumnKind.TIME, ColumnKind.DURATION}

    @property
    def is_categorical(self) -> bool:
        """Whether values are the same or not, and nothing else."""
        return self in {ColumnKind.CATEGORY, ColumnKind.BOOLEAN}


class ReferenceColumn(Document):
    """The bins of one column and the reference's rows in each.

    Ordered: below the smallest, up to each of ``edges``, above the largest. Categorical: one each of
    ``categories``, then all others. The last bin is of missing values.
    """

    name: str
    kind: ColumnKind
    type: str = Field(description="Arrow's name of the type, for people")
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    known: dict[str, int] | None = Field(
        default=None, description="Rows by category; None where there is no category, or too many to keep"
    )
    distinct: int = Field(ge=0, description="Different values, missing ones not counted")
    counts: tuple[int, ...]

    @classmethod
    def of(cls, name: str, values: pa.ChunkedArray) -> Self:
        """Set the bins by the reference's values, and count them."""
        kind = kind_of(values.type)
        fields: dict[str, Any] = {"name": name, "kind": kind, "type": str(values.type)}
        if kind.is_ordered:
            numbers = _as_numbers(values, kind)
            present = numbers[~np.isnan(numbers)]
            fields |= {"edges": _quantile_edges(present), "distinct": len(np.unique(present))}
        elif kind.is_categorical:
            known = count_categories(values)
            fields |= {
                "categories": _common(known),
                "known": known if len(known) <= _KNOWN_CATEGORIES else None,
                "distinct": len(known),
            }
        else:
            fields["distinct"] = 0
        empty = cls(**fields, counts=())
        return empty.model_copy(update={"counts": tuple(int(count) for count in empty.count(values))})

    @property
    def rows(self) -> int:
        """How many rows the reference has."""
        return sum(self.counts)

    @property
    def missing(self) -> int:
        """How many of the reference's rows lack a value."""
        return self.counts[-1]

    @property
    def ordered_bins(self) -> int:
        """How many leading bins have an order."""
        return len(self.counts) - 1 if self.kind.is_ordered else 0

    def count(self, values: pa.ChunkedArray) -> np.ndarray:
        """Count a window's values, of this column's kind or all null, in the reference's bins."""
        missing = _missing(values)
        if len(values) == missing:
            present = np.zeros(self._present_bins(), dtype=np.int64)
        elif self.kind.is_ordered:
            present = self._count_ordered(_as_numbers(values, self.kind))
        elif self.kind.is_categorical:
            present = self._count_categories(values)
        else:
            present = np.array([len(values) - missing])
        return np.append(present, missing).astype(np.int64)

    def _present_bins(self) -> int:
        if self.kind.is_ordered:
            return len(self.edges) + 1
        return len(self.categories) + 1 if self.kind.is_categorical else 1

    def _count_ordered(self, numbers: np.ndarray) -> np.ndarray:
        present = numbers[~np.isnan(numbers)]
        return np.bincount(np.searchsorted(self.edges, present), minlength=self._present_bins())

    def _count_categories(self, values: pa.ChunkedArray) -> np.ndarray:
        found = count_categories(values)
        common = [found.get(name, 0) for name in self.categories]
        return np.array([*common, sum(found.values()) - sum(common)])


def kind_of(type_: pa.DataType) -> ColumnKind:
    """Return the kind of an Arrow type."""
    if pa.types.is_dictionary(type_):
        return kind_of(type_.value_type)
    tests = {
        ColumnKind.EMPTY: (pa.types.is_null,),
        ColumnKind.BOOLEAN: (pa.types.is_boolean,),
        ColumnKind.NUMBER: (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal),
        ColumnKind.TIME: (pa.types.is_timestamp, pa.types.is_date),
        ColumnKind.DURATION: (pa.types.is_duration,),
        ColumnKind.CATEGORY: (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
    }
    return next((kind for kind, checks in tests.items() if any(check(type_) for check in checks)), _OTHER)


def count_categories(values: pa.ChunkedArray) -> dict[str, int]:
    """Count rows by category, missing values left out; the commonest first, then by name."""
    counted = pc.value_counts(_decoded(values).combine_chunks()).to_pylist()
    found: dict[str, int] = {}
    for entry in counted:
        if entry["values"] is not None:
            # Cut, so that a column of documents does not make a profile of megabytes.
            name = str(entry["values"])[:_LONGEST_CATEGORY]
            found[name] = found.get(name, 0) + entry["counts"]
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def is_all_missing(values: pa.ChunkedArray) -> bool:
    """Whether no row has a value; true of no rows."""
    return _missing(values) == len(values)


def only_value(values: pa.ChunkedArray) -> str | None:
    """Return the value that all rows with a value share, as text; None if there are several or none."""
    kind = kind_of(values.type)
    if kind.is_categorical:
        found = count_categories(values)
        return next(iter(found)) if len(found) == 1 else None
    if not kind.is_ordered or is_all_missing(values):
        return None
    numbers = _as_numbers(values, kind)
    if np.nanmin(numbers) != np.nanmax(numbers):
        return None
    first = _decoded(values).drop_null()[0].as_py()
    return f"{first:g}" if isinstance(first, float) else str(first)


_OTHER = ColumnKind.OTHER


def _decoded(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values


def _as_numbers(values: pa.ChunkedArray, kind: ColumnKind) -> np.ndarray:
    """Return float64, NaN where missing, in one unit whatever the column's."""
    decoded = _decoded(values)
    if kind is ColumnKind.TIME:
        decoded = pc.cast(decoded, pa.timestamp("us", tz=getattr(decoded.type, "tz", None)), safe=False)
    elif kind is ColumnKind.DURATION:
        decoded = pc.cast(decoded, pa.duration("us"), safe=False)
    if kind is not ColumnKind.NUMBER:
        decoded = decoded.cast(pa.int64())
    numbers: np.ndarray = pc.cast(decoded, pa.float64(), safe=False).to_numpy()
    return numbers


def _missing(values: pa.ChunkedArray) -> int:
    """Count nulls, and NaN, which is how pandas says null."""
    decoded = _decoded(values)
    if pa.types.is_null(decoded.type):
        return len(decoded)
    return int(pc.sum(pc.is_null(decoded, nan_is_null=True)).as_py() or 0)


def _quantile_edges(present: np.ndarray) -> tuple[float, ...]:
    finite = present[np.isfinite(present)]
    if not len(finite):
        return ()
    shares = np.arange(1, _QUANTILE_BINS + 1) / _QUANTILE_BINS
    quantiles = np.quantile(finite, shares, method="inverted_cdf")
    # The first edge lies just below the smallest value: what falls below it was never seen.
    below = math.nextafter(float(finite.min()), -math.inf)
    return tuple(float(edge) for edge in np.unique(np.append(quantiles, below)) if np.isfinite(edge))


def _common(known: dict[str, int]) -> tuple[str, ...]:
    return tuple(name for name, count in known.items() if count >= _CATEGORY_ROWS)[:_CATEGORY_BINS]
