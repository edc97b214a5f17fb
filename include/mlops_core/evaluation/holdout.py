"""The held-out rows, read once for every model, and the digest that says which rows they are."""

import hashlib
from dataclasses import dataclass, replace
from typing import Self

import pandas as pd

from mlops_core.data.documents import SnapshotIdentity
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DataRejectedError, EmptySampleError
from mlops_core.pipeline import Pipeline
from mlops_core.training.job import SplitIdentity


@dataclass(frozen=True, kw_only=True)
class HeldOutRows:
    """Rows with a known target.

    Parameters
    ----------
    features
        Every column but the target.
    truth
        The target, in the same order.
    dropped
        How many held-out rows had no target and were left out.
    """

    features: pd.DataFrame
    truth: pd.Series
    dropped: int

    def copy(self) -> Self:
        """Return rows of their own, for a model that may change them."""
        return replace(self, features=self.features.copy(), truth=self.truth.copy())

    def digest(self) -> str:
        """Return the SHA-256 of the columns and of every row in order.

        It is computed anew on each call: a model that changes the rows it is given is found out by it.
        """
        columns = [*self.features.items(), (self.truth.name, self.truth)]
        content = hashlib.sha256()
        for name, column in columns:
            content.update(f"{name}\0{column.dtype}\0{len(column)}\0".encode())
            content.update(_row_hashes(column).to_numpy().tobytes())
        return content.hexdigest()


def _row_hashes(column: pd.Series) -> pd.Series:
    try:
        return pd.util.hash_pandas_object(column, index=False)
    except TypeError:
        # Lists and the like, which pandas cannot look up.
        return pd.util.hash_pandas_object(column.map(repr), index=False)


def read_holdout(
    pipeline: Pipeline, *, snapshot: SnapshotIdentity, split: SplitIdentity, store: SnapshotStore
) -> HeldOutRows:
    """Read the held-out partitions of a snapshot and leave out rows without a target.

    Raises
    ------
    DataRejectedError
        If the target is no column of the snapshot.
    EmptySampleError
        If no row has a target.
    """
    frame = store.read(snapshot, partitions=split.holdout_partitions).to_pandas()
    partitions = ", ".join(split.holdout_partitions)
    if pipeline.target not in frame.columns:
        raise DataRejectedError(
            f"the held-out partitions {partitions} lack the target {pipeline.target!r};"
            f" their columns are {', '.join(frame.columns)}"
        )
    known = frame[frame[pipeline.target].notna()].reset_index(drop=True)
    if known.empty:
        raise EmptySampleError(
            f"none of the {len(frame)} held-out rows of {partitions} has a value of {pipeline.target!r};"
            " wait for the labels, or hold out other partitions"
        )
    return HeldOutRows(
        features=known.drop(columns=pipeline.target),
        # Where a gap made objects of numbers or booleans, they become numbers or booleans again.
        truth=known[pipeline.target].infer_objects(),
        dropped=len(frame) - len(known),
    )
