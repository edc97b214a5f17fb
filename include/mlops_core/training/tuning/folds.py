"""Folds in time: each is scored after a fit on everything before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlops_core.errors import EmptySampleError
from mlops_core.training.rows import LabelledRows


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Places of rows: ``fitted`` lie before ``scored``; both in words too."""

    fitted: np.ndarray
    scored: np.ndarray
    fitted_on: str
    scored_on: str


def time_ordered_folds(rows: LabelledRows, *, folds: int) -> tuple[Fold, ...]:
    """Cut rows into folds of an expanding window: by partition, or by row where partitions are too few.

    Raises
    ------
    EmptySampleError
        If there are not even rows enough.
    """
    from sklearn.model_selection import TimeSeriesSplit

    splitter = TimeSeriesSplit(n_splits=folds)
    keys = tuple(dict.fromkeys(rows.partitions.tolist()))
    if len(keys) > folds:
        number_of = {key: number for number, key in enumerate(keys)}
        numbers = np.array([number_of[key] for key in rows.partitions.tolist()])
        return tuple(
            Fold(
                fitted=np.flatnonzero(np.isin(numbers, fitted)),
                scored=np.flatnonzero(np.isin(numbers, scored)),
                fitted_on=_partitions_in_words(keys, fitted),
                scored_on=_partitions_in_words(keys, scored),
            )
            for fitted, scored in splitter.split(keys)
        )
    count = len(rows.target)
    if count <= folds:
        raise EmptySampleError(
            f"{count} labelled training rows make no {folds} folds; train on more, or ask for fewer folds"
        )
    return tuple(
        Fold(
            fitted=fitted,
            scored=scored,
            fitted_on=_rows_in_words(fitted),
            scored_on=_rows_in_words(scored),
        )
        for fitted, scored in splitter.split(np.arange(count))
    )


def _partitions_in_words(keys: Sequence[str], places: np.ndarray) -> str:
    first, last = keys[int(places[0])], keys[int(places[-1])]
    return first if first == last else f"{first} to {last}"


def _rows_in_words(places: np.ndarray) -> str:
    return f"rows {int(places[0]) + 1} to {int(places[-1]) + 1}"
