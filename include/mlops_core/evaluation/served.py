"""Logged batch predictions read back: what was served, beside the rows of its partition as they are now.

That these are the rows that were scored is checked by their number and, where the pipeline declares a key, by
their keys in order. Features that were published again under the same keys are not noticed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from mlops_core.data.snapshots import SnapshotIdentity, SnapshotStore
from mlops_core.errors import DataRejectedError
from mlops_core.evaluation.catalogue import Task
from mlops_core.models.loaded import Predictions
from mlops_core.pipeline import Pipeline
from mlops_core.predictions import (
    KEY_COLUMN,
    LABEL_COLUMN,
    SCORE_COLUMN,
    VERSION_COLUMN,
    predictions_table_of,
)


@dataclass(frozen=True, kw_only=True)
class ServedWindow:
    """One scored partition: its rows as they are published now, and what was answered when it was scored.

    Parameters
    ----------
    rows
        Every column, in the order of the predictions.
    keys : shape (n,)
    classes
        By the text of each multiclass score's column; empty for other tasks.
    """

    partition: str
    version: int
    rows: pa.Table
    keys: np.ndarray
    predictions: Predictions
    classes: tuple[str, ...]


def served_windows(pipeline: Pipeline, *, store: SnapshotStore, last: int) -> Iterator[ServedWindow]:
    """Yield the last partitions that were ever scored, in time order; none where nothing was.

    Raises
    ------
    DataRejectedError
        If a partition has another number of rows than was scored, or other keys in their places, or its
        predictions are of another form.
    CorruptedDataError
        If stored data differ from their digest.
    SnapshotMissingError
        If the rows are no longer published.
    """
    logged = store.find_current(predictions_table_of(pipeline.name))
    if logged is None:
        return
    for entry in store.partitions(logged)[-last:]:
        yield _window(pipeline, entry.partition, logged=logged, store=store)


def _window(
    pipeline: Pipeline, partition: str, *, logged: SnapshotIdentity, store: SnapshotStore
) -> ServedWindow:
    answered = store.read(logged, partitions=[partition])
    rows = store.read(store.published(pipeline.name, partition).snapshot, partitions=[partition])
    missing = [
        name for name in (KEY_COLUMN, LABEL_COLUMN, VERSION_COLUMN) if name not in answered.column_names
    ]
    if missing:
        raise DataRejectedError(f"the predictions of {partition} lack {', '.join(missing)}; score it again")
    _check_same_rows(pipeline, partition, rows=rows, answered=answered)
    versions = answered[VERSION_COLUMN].unique().to_pylist()
    if len(versions) != 1:
        raise DataRejectedError(
            f"the predictions of {partition} are of the versions {versions}; score it again"
        )
    scores, classes = _scores(pipeline, partition, answered)
    return ServedWindow(
        partition=partition,
        version=versions[0],
        rows=rows,
        keys=answered[KEY_COLUMN].to_pandas().to_numpy(),
        predictions=Predictions(scores=scores, labels=answered[LABEL_COLUMN].to_pandas().to_numpy()),
        classes=classes,
    )


def _check_same_rows(pipeline: Pipeline, partition: str, *, rows: pa.Table, answered: pa.Table) -> None:
    reason = ""
    if rows.num_rows != answered.num_rows:
        reason = f"has {rows.num_rows} rows now, and predictions of {answered.num_rows}"
    elif pipeline.key is not None:
        now, then = rows[pipeline.key].to_pylist(), answered[KEY_COLUMN].to_pylist()
        differing = sum(new != old for new, old in zip(now, then, strict=True))
        if differing:
            reason = f"has other keys than its predictions in {differing} of {len(now)} rows"
    if reason:
        raise DataRejectedError(
            f"partition {partition} of {pipeline.name!r} {reason}: it was published again since it was"
            " scored; score it again"
        )


def _scores(pipeline: Pipeline, partition: str, answered: pa.Table) -> tuple[np.ndarray, tuple[str, ...]]:
    prefix = f"{SCORE_COLUMN}_"
    many = pipeline.task is Task.MULTICLASS_CLASSIFICATION
    names = [
        name for name in answered.column_names if (name.startswith(prefix) if many else name == SCORE_COLUMN)
    ]
    if not names:
        raise DataRejectedError(
            f"the predictions of {partition} have no scores for {pipeline.task.value}; score it again"
        )
    scores = answered.select(names).to_pandas().to_numpy(dtype=np.float64)
    if not np.isfinite(scores).all():
        raise DataRejectedError(
            f"the predictions of {partition} hold scores that are not finite; score it again"
        )
    return (scores, tuple(name.removeprefix(prefix) for name in names)) if many else (scores[:, 0], ())


def aligned_scores(
    ours: Predictions, *, classes: Sequence[Any], served: ServedWindow
) -> tuple[np.ndarray, np.ndarray]:
    """Return the challenger's scores and the served ones in the same columns, shape (n, columns).

    A class that one of the two does not know has the probability 0 there, which is what it says of it.
    """
    if not served.classes:
        return ours.scores.reshape(-1, 1), served.predictions.scores.reshape(-1, 1)
    names = [str(name) for name in classes]
    known = list(dict.fromkeys([*names, *served.classes]))
    frames = (
        pd.DataFrame(ours.scores, columns=names),
        pd.DataFrame(served.predictions.scores, columns=list(served.classes)),
    )
    new, old = (frame.reindex(columns=known, fill_value=0.0).to_numpy() for frame in frames)
    return new, old
