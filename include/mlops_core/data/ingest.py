"""From a pipeline's loader to a staged partition, and from there into the snapshot."""

import logging
from typing import Any

import pandas as pd
import pyarrow as pa

from mlops_core.data.documents import PublishedPartition, StagedPartition, ValidationResult
from mlops_core.data.names import checked_partition
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DataRejectedError, DeclarationError
from mlops_core.pipeline import Pipeline
from mlops_core.references import resolve

__all__ = ["StagedPartition", "load_partition", "publish_partition"]

_log = logging.getLogger(__name__)


def load_partition(pipeline: Pipeline, *, partition: str, store: SnapshotStore) -> StagedPartition:
    """Call the pipeline's loader and stage what it returns.

    The staged file is named by its content, so a repeated call stages the same file again.

    Raises
    ------
    DataRejectedError
        If there are no rows, or a column cannot be stored.
    DeclarationError
        If the partition's key is not safe, or the loader returns something else than a table.
    """
    key = checked_partition(partition)
    table = _arrow_table(resolve(pipeline.loader)(key), reference=pipeline.loader)
    staged = store.stage(pipeline.name, partition=key, table=table)
    _log.info("staged %s rows of %s, partition %s", staged.rows, pipeline.name, key)
    return staged


def publish_partition(
    staged: StagedPartition, *, validation: ValidationResult, store: SnapshotStore
) -> PublishedPartition:
    """Make a staged partition part of the pipeline's snapshot, if the validation of these very bytes passed.

    Raises
    ------
    DataRejectedError
        If validation refused it, or was of other data.
    BrokenExpectationError
        If validation could not decide.
    """
    validated = (validation.pipeline, validation.partition, validation.digest)
    if validated != (staged.pipeline, staged.partition, staged.digest):
        raise DataRejectedError(
            f"the validation given is of {validation.partition!r}, digest {validation.digest[:12]}…, not of "
            f"{staged.partition!r}, digest {staged.digest[:12]}…; validate what is to be published"
        )
    validation.require_success()
    return store.publish(staged.pipeline, staged)


def _arrow_table(loaded: Any, *, reference: str) -> pa.Table:
    if isinstance(loaded, pa.Table):
        return loaded
    if not isinstance(loaded, pd.DataFrame):
        raise DeclarationError(
            f"{reference} returned {type(loaded).__name__}; return a pyarrow.Table or a pandas.DataFrame"
        )
    try:
        return pa.Table.from_pandas(loaded, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError) as error:
        # Arrow's message names the column whose values are of mixed types.
        reason = "; ".join(str(argument) for argument in error.args)
        raise DataRejectedError(
            f"what {reference} returned has no one type a column: {reason[:500]}"
        ) from error
