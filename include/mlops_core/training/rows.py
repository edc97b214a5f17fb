"""From a snapshot's table to the features and the target that a candidate is fitted on."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlops_core.data.parquet import PARTITION_COLUMN
from mlops_core.errors import DataRejectedError, DeclarationError, EmptySampleError
from mlops_core.evaluation.catalogue import Task
from mlops_core.models.frames import BOOLEAN, DATETIME, DOUBLE, STRING, conform
from mlops_core.pipeline import Pipeline


@dataclass(frozen=True, kw_only=True)
class LabelledRows:
    """Rows whose target is known.

    Parameters
    ----------
    features
        As models are asked: see ``conform``.
    target
        Same length, without a missing value.
    types
        Type by feature, in the order of the columns.
    partitions
        The key of each row's partition, in time order; empty where it was not read.
    """

    features: pd.DataFrame
    target: pd.Series
    types: dict[str, str]
    partitions: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=object))

    def take(self, places: np.ndarray) -> "LabelledRows":
        """Return the rows at some places, numbered anew."""
        return LabelledRows(
            features=self.features.iloc[places].reset_index(drop=True),
            target=self.target.iloc[places].reset_index(drop=True),
            types=self.types,
            partitions=self.partitions[places] if len(self.partitions) else self.partitions,
        )


def feature_names(pipeline: Pipeline, schema: pa.Schema) -> tuple[str, ...]:
    """Return the columns that are features, in order: the declared, or all that may be.

    The key, the target and the partition say which row it is or what is asked of it, so they never are.

    Raises
    ------
    DeclarationError
        If a declared feature is one of those, or no column, or there is none.
    """
    never = {pipeline.key, pipeline.target, PARTITION_COLUMN}
    names = pipeline.features or tuple(name for name in schema.names if name not in never)
    refused = [name for name in names if name in never]
    missing = [name for name in names if name not in schema.names]
    if refused or missing or not names:
        reason = (
            f"{', '.join(refused)} may be no feature: it names a row, its target or its partition"
            if refused
            else f"the data lack {', '.join(missing) or 'any column besides the key and the target'}"
        )
        raise DeclarationError(f"pipeline {pipeline.name!r}, features: {reason}")
    return tuple(names)


def labelled_rows(table: pa.Table, *, pipeline: Pipeline) -> LabelledRows:
    """Return the features and the target of those rows whose target is known.

    Raises
    ------
    EmptySampleError
        If no row's target is known.
    DataRejectedError
        If the target has too few or too many classes for the task, or values that are not finite.
    DeclarationError
        If a column cannot be a feature.
    """
    names = feature_names(pipeline, table.schema)
    if pipeline.target not in table.schema.names:
        raise DeclarationError(f"pipeline {pipeline.name!r}: the data have no target {pipeline.target!r}")
    known = table.filter(pc.is_valid(table[pipeline.target]))
    # Arrow keeps a float's NaN apart from a missing value; a target of NaN is as unknown.
    if pa.types.is_floating(known.schema.field(pipeline.target).type):
        known = known.filter(pc.invert(pc.is_nan(known[pipeline.target])))
    if known.num_rows == 0:
        raise EmptySampleError(
            f"none of {table.num_rows} rows has a known {pipeline.target!r}; "
            "train on partitions whose labels are there"
        )
    types = {name: _feature_type(known.schema.field(name)) for name in names}
    return LabelledRows(
        features=conform(known.select(list(names)).to_pandas(), types),
        target=_target(known[pipeline.target], pipeline),
        types=types,
        partitions=_partitions(known),
    )


def _partitions(table: pa.Table) -> np.ndarray:
    if PARTITION_COLUMN not in table.schema.names:
        return np.empty(0, dtype=object)
    keys: np.ndarray = table[PARTITION_COLUMN].to_pandas().to_numpy(dtype=object)
    return keys


def _feature_type(field: pa.Field) -> str:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_boolean(kind):
        return BOOLEAN
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return DOUBLE
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return STRING
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return DATETIME
    raise DeclarationError(
        f"column {field.name!r} is of the type {field.type}, which is no feature; a feature is a number, "
        "a string, a boolean or a datetime: leave the column out with `features`, or convert it in the loader"
    )


def _target(column: pa.ChunkedArray, pipeline: Pipeline) -> pd.Series:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    target: pd.Series = column.to_pandas().rename(pipeline.target)
    if pipeline.task is Task.REGRESSION:
        values: pd.Series = target.astype("float64")
        infinite = int(np.isinf(values).sum())
        if infinite:
            raise DataRejectedError(f"{infinite} of {len(values)} values of {pipeline.target!r} are infinite")
        return values
    classes = target.nunique()
    if classes < 2 or (pipeline.task is Task.BINARY_CLASSIFICATION and classes > 2):
        needed = "2" if pipeline.task is Task.BINARY_CLASSIFICATION else "at least 2"
        raise DataRejectedError(
            f"the target {pipeline.target!r} has {classes} classes in {len(target)} rows; "
            f"{pipeline.task.value} needs {needed}"
        )
    return target
