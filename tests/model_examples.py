"""What is asked of every model's candidates: rows of its own data, a fitted model as it is loaded."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from mlops_core.models.directory import model_digest, read_directory, write_directory
from mlops_core.models.loaded import LoadedModel
from mlops_core.models.trust import TrustedCode
from mlops_core.pipeline import Pipeline
from mlops_core.references import resolve
from mlops_core.training.rows import LabelledRows, labelled_rows


def rows_of(pipeline: Pipeline, *partitions: str, every: int = 1) -> LabelledRows:
    """Load partitions as a training does, and take every so-manieth row of them."""
    table = pa.concat_tables([resolve(pipeline.loader)(partition) for partition in partitions])
    return labelled_rows(table.take(list(range(0, table.num_rows, every))), pipeline=pipeline)


def loaded(pipeline: Pipeline, estimator: Any, rows: LabelledRows) -> LoadedModel:
    """Wrap an estimator, fitted on such rows, without storing it."""
    return LoadedModel.of(
        estimator, task=pipeline.task, features=rows.types, input_example=rows.features.head(3), digest=""
    )


def read_back(pipeline: Pipeline, estimator: Any, rows: LabelledRows, *, folder: Path) -> LoadedModel:
    """Store an estimator and read it, trusting its own packages and no type of its own."""
    directory = folder / "model"
    write_directory(
        directory,
        estimator=estimator,
        pipeline=pipeline,
        features=rows.types,
        input_example=rows.features.head(5),
    )
    packages = TrustedCode.declared_by(pipeline).packages
    return read_directory(directory, digest=model_digest(directory), trusted=TrustedCode(packages=packages))
