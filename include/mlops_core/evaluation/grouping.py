"""Rows grouped by one column's values: by each value, or by quartile where there are many numbers."""

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from mlops_core.errors import DeclarationError, EvaluationError
from mlops_core.models.frames import BOOLEAN, DATETIME, DOUBLE, conform, feature_types

_MOST_NUMBERS = 10
"""A column of more different numbers, or times, is grouped by quartile."""

_MOST_LARGE = 500
"""Values with rows enough to stand alone, at most: each costs a comparison and a line of the report."""

_LONGEST_LABEL = 100
_MISSING = "(missing)"


@dataclass(frozen=True, kw_only=True)
class Groups:
    """Every row's group by one column.

    Parameters
    ----------
    labels
        What each group is called, for example ``EWR`` or ``above 509, up to 872``.
    codes : shape (n,)
        Each row's group, an index into ``labels``. Every group has a row.
    pooled
        Which group is the rarest values together, if any is.
    """

    column: str
    labels: tuple[str, ...]
    codes: np.ndarray
    pooled: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The groups with their column, for example ``origin = EWR``."""
        return tuple(f"{self.column} = {label}" for label in self.labels)

    @property
    def sizes(self) -> np.ndarray:
        """Rows of each group."""
        return np.bincount(self.codes, minlength=len(self.labels))


def group(
    frame: pd.DataFrame,
    column: str,
    *,
    most: int = 50,
    minimum_rows: int | None = None,
    declared_in: str = "",
) -> Groups:
    """Group rows by a column; rows without a value are a group of their own.

    Parameters
    ----------
    most
        Groups at most: the rarest values beyond it are one group together.
    minimum_rows
        A value of so many rows is a group of its own, beyond ``most`` as well. None: no value is.
    declared_in
        The field that names the column, for the error's words.

    Raises
    ------
    EvaluationError
        If there is no such column, or more than 500 of its values have ``minimum_rows``.
    """
    if column not in frame.columns:
        known = ", ".join(map(str, frame.columns))
        raise EvaluationError(
            f"{declared_in or 'group'}: the held-out rows lack {column!r}; they have {known}"
        )
    values, kind = _canonical(frame[[column]], column)
    known_rows, pooled = values.notna().to_numpy(), None
    if kind in {DOUBLE, DATETIME} and values.nunique() > _MOST_NUMBERS:
        codes, labels = _by_quartile(values[known_rows], instants=kind == DATETIME)
    else:
        ordered, large = _counted(values[known_rows], minimum_rows=minimum_rows)
        if large > _MOST_LARGE:
            raise EvaluationError(
                f"{declared_in or 'group'}: {large} values of {column!r} have {minimum_rows} rows or more; at"
                f" most {_MOST_LARGE} can be groups: name a column of fewer values, or raise minimum_rows"
            )
        kept = ordered if len(ordered) <= max(most, large) else ordered[: max(most - 1, large)]
        codes, labels = _by_value(values[known_rows], kind=kind, kept=kept)
        if len(kept) < len(ordered):
            pooled = len(kept)
            labels = [*labels, f"({len(ordered) - len(kept)} rarer values)"]
    everywhere = np.full(len(values), len(labels), dtype=np.intp)
    everywhere[known_rows] = codes
    if not known_rows.all():
        labels = [*labels, _MISSING]
    return Groups(column=column, labels=tuple(labels), codes=everywhere, pooled=pooled)


def _canonical(frame: pd.DataFrame, column: str) -> tuple[pd.Series, str]:
    try:
        types = feature_types(frame)
        return conform(frame, types)[column], types[column]
    except DeclarationError:
        # Lists, mixtures and the like are no feature, and yet their text may tell groups apart.
        return frame[column].map(str, na_action="ignore"), ""


def _by_quartile(values: pd.Series, *, instants: bool) -> tuple[np.ndarray, list[str]]:
    numbers = values.astype("int64").to_numpy() if instants else values.to_numpy(dtype=np.float64)
    # Edges are values that occur: no mean of infinity, and no edge twice where one value fills a quarter.
    edges = np.unique(np.quantile(numbers, [0.25, 0.5, 0.75], method="inverted_cdf"))
    edges = edges[edges < numbers.max()]
    words = [_instant(edge, values) if instants else f"{edge:.6g}" for edge in edges]
    labels = [f"up to {words[0]}"] if words else ["all"]
    labels += [f"above {low}, up to {high}" for low, high in pairwise(words)]
    labels += [f"above {words[-1]}"] if words else []
    return np.searchsorted(edges, numbers, side="left"), labels


def _instant(edge: float, values: pd.Series) -> str:
    return pd.Timestamp(int(edge), unit=values.dt.unit).isoformat(sep=" ", timespec="seconds")


def _counted(values: pd.Series, *, minimum_rows: int | None) -> tuple[list[Hashable], int]:
    """Return the values, commonest first, of equals the lesser text first; and how many are large."""
    counts = values.value_counts().to_dict()
    ordered = sorted(counts, key=lambda value: (-counts[value], str(value)))
    if minimum_rows is None:
        return ordered, 0
    return ordered, sum(rows >= minimum_rows for rows in counts.values())


def _by_value(values: pd.Series, *, kind: str, kept: list[Hashable]) -> tuple[np.ndarray, list[str]]:
    """Give each value its place among those that are kept, and all others the next."""
    places: dict[Hashable, int] = {value: place for place, value in enumerate(kept)}
    codes = np.array([places.get(value, len(kept)) for value in values.tolist()], dtype=np.intp)
    return codes, [_label(value, kind) for value in kept]


def _label(value: Hashable, kind: str) -> str:
    if kind == BOOLEAN:
        return "true" if value else "false"
    if kind == DOUBLE and isinstance(value, float):
        return f"{value:.6g}"
    return str(value)[:_LONGEST_LABEL]
