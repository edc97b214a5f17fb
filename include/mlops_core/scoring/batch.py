"""The predictions of one partition by one version, as a table beside the snapshot."""

import logging

import numpy as np
import pyarrow as pa
from pydantic import Field

from mlops_core.data.snapshots import PublishedPartition, SnapshotStore
from mlops_core.document import Document
from mlops_core.errors import (
    DataRejectedError,
    DeclarationError,
    EvaluationError,
    NotInProductionError,
    RegistryMismatchError,
)
from mlops_core.evaluation.catalogue import Task
from mlops_core.models.loaded import LoadedModel, Predictions
from mlops_core.models.version import load_version
from mlops_core.pipeline import Name, Partition, Pipeline
from mlops_core.predictions import (
    DIGEST_COLUMN,
    KEY_COLUMN,
    LABEL_COLUMN,
    SCORE_COLUMN,
    VERSION_COLUMN,
    predictions_table_of,
)
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import VersionRecord

_log = logging.getLogger(__name__)


class ScoredPartition(Document):
    """One partition's predictions: what was scored, by which version, and where they are.

    The table has the columns ``key``, ``score`` (multiclass: ``score_<class>`` for each), ``label``,
    ``model_version`` and ``model_digest``, a row for each of the source's in the same order. ``key`` holds
    the pipeline's key column, or the row's number from 0 when the pipeline names none.
    """

    pipeline: Name
    partition: Partition
    version: VersionRecord
    source: PublishedPartition = Field(description="What was scored")
    predictions: PublishedPartition = Field(
        description="`adopted` when the same predictions were there already"
    )
    rows: int = Field(ge=1)


def predictions_table(pipeline: Pipeline) -> str:
    """Return the name under which the snapshot store holds a pipeline's predictions."""
    return predictions_table_of(pipeline.name)


def score_partition(
    pipeline: Pipeline,
    *,
    published: PublishedPartition,
    version: VersionRecord | None,
    store: SnapshotStore,
    tracking_uri: str,
) -> ScoredPartition:
    """Predict every row of a published partition and publish the predictions.

    The target is never read. The same partition scored again by the same version gives the same predictions,
    which are adopted; scored by another version they replace the former ones, as a new version of the table.

    Parameters
    ----------
    published
        The partition as one snapshot holds it.
    version
        The version to score with: the one that was in production. None is refused.

    Raises
    ------
    NotInProductionError
        If there is no version.
    UntrustedModelError
        If no trusted key signed the version, or the model's files differ from their digest.
    CorruptedDataError
        If the partition's files do.
    EvaluationError
        If the model gives a score that is not finite.
    """
    if version is None:
        raise NotInProductionError(
            f"{pipeline.name!r} has no version in production; promote one to score {published.partition}"
        )
    model = load_version(version, tracking_uri=tracking_uri)
    if pipeline.target in model.features:
        raise DeclarationError(
            f"version {version.version} of {pipeline.name!r} was fitted on the target {pipeline.target!r};"
            " train it again without"
        )
    rows = _read(pipeline, published=published, model=model, store=store)
    predictions = model.predict(rows.select(list(model.features)).to_pandas())
    _check_finite(predictions, version=version, published=published)
    table = _table(pipeline, rows=rows, predictions=predictions, model=model, version=version)
    stored = store.write_partition(predictions_table(pipeline), published.partition, table)
    _log.info(
        "scored %d rows of %s %s with version %d%s",
        rows.num_rows,
        pipeline.name,
        published.partition,
        version.version,
        " (adopted)" if stored.adopted else "",
    )
    return ScoredPartition(
        pipeline=pipeline.name,
        partition=published.partition,
        version=version,
        source=published,
        predictions=stored,
        rows=rows.num_rows,
    )


def find_scored(
    pipeline: Pipeline, *, partition: str, store: SnapshotStore, ledger: Ledger
) -> ScoredPartition:
    """Describe a partition that was scored before, for example to watch it again when its labels are in.

    Raises
    ------
    SnapshotMissingError
        If the partition was not scored.
    DataRejectedError
        If other rows were published under its name since.
    RegistryMismatchError
        If the ledger does not know the version that scored it.
    """
    predictions = store.published(predictions_table(pipeline), partition)
    source = store.published(pipeline.name, partition)
    if source.rows != predictions.rows:
        raise DataRejectedError(
            f"partition {partition} of {pipeline.name!r} has {source.rows} rows, and predictions of "
            f"{predictions.rows}: it was published again since; score it again"
        )
    column = store.read(predictions.snapshot, partitions=[partition], columns=[VERSION_COLUMN])
    number = column[VERSION_COLUMN][0].as_py()
    versions = {record.version: record for record in ledger.versions(pipeline.name)}
    if number not in versions:
        raise RegistryMismatchError(
            f"partition {partition} of {pipeline.name!r} was scored by version {number}, which the ledger "
            "does not know; score it again"
        )
    return ScoredPartition(
        pipeline=pipeline.name,
        partition=partition,
        version=versions[number],
        source=source,
        predictions=predictions,
        rows=source.rows,
    )


def _read(
    pipeline: Pipeline, *, published: PublishedPartition, model: LoadedModel, store: SnapshotStore
) -> pa.Table:
    key = () if pipeline.key is None else (pipeline.key,)
    columns = list(dict.fromkeys((*model.features, *key)))
    return store.read(published.snapshot, partitions=[published.partition], columns=columns)


def _check_finite(predictions: Predictions, *, version: VersionRecord, published: PublishedPartition) -> None:
    finite = np.isfinite(predictions.scores).reshape(len(predictions.scores), -1).all(axis=1)
    if not finite.all():
        raise EvaluationError(
            f"version {version.version} of {version.model!r} gives no finite score to"
            f" {np.count_nonzero(~finite)} of {len(finite)} rows of {published.partition}; the first is row"
            f" {int(np.argmin(finite))}"
        )


def _table(
    pipeline: Pipeline,
    *,
    rows: pa.Table,
    predictions: Predictions,
    model: LoadedModel,
    version: VersionRecord,
) -> pa.Table:
    count = rows.num_rows
    scores = {SCORE_COLUMN: predictions.scores}
    if model.task is Task.MULTICLASS_CLASSIFICATION:
        scores = {
            f"{SCORE_COLUMN}_{name}": predictions.scores[:, place] for place, name in enumerate(model.classes)
        }
    return pa.table(
        {
            KEY_COLUMN: np.arange(count) if pipeline.key is None else rows.column(pipeline.key),
            **{name: pa.array(values, type=pa.float64()) for name, values in scores.items()},
            LABEL_COLUMN: pa.array(predictions.labels),
            VERSION_COLUMN: pa.repeat(pa.scalar(version.version, pa.int64()), count),
            DIGEST_COLUMN: pa.repeat(version.digest, count),
        }
    )
