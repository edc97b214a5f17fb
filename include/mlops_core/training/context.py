"""What a fit may know of the train job that it is part of.

``fit(features, target, seed)`` gets rows alone, so that it can be called anywhere. A long fit also wants to
keep checkpoints and to tell MLflow how it goes: it asks ``current_training()``, which is None outside a job.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_core.settings import Settings
from mlops_core.training.job import TrainJob

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHECKPOINTS_VARIABLE = "MLOPS_CHECKPOINTS"
"""Names the folder of checkpoints; in a container it lies on a volume that outlives the container."""


@dataclass(frozen=True, kw_only=True)
class TrainingContext:
    """The train job that is being run.

    Parameters
    ----------
    run_id, client
        The MLflow run and its server; empty and None in processes that only help to fit.
    checkpoints
        Folder of this job alone. It appears with the first checkpoint and goes when the run is finished.
    rank, world_size
        Which process this is, and of how many.
    fit_numbers
        Gives each fit of the job its number. A retry makes the same fits in the same order, and so the same
        numbers.
    """

    run_id: str
    client: "MlflowClient | None" = None
    checkpoints: Path
    rank: int = 0
    world_size: int = 1
    fit_numbers: Iterator[int] = field(default_factory=lambda: count(1), compare=False, repr=False)


_CURRENT: ContextVar[TrainingContext | None] = ContextVar("mlops_training", default=None)


def current_training() -> TrainingContext | None:
    """Return the train job that this code runs in, or None."""
    return _CURRENT.get()


@contextmanager
def training_context(context: TrainingContext) -> Iterator[TrainingContext]:
    """Make a train job the current one within the block."""
    token = _CURRENT.set(context)
    try:
        yield context
    finally:
        _CURRENT.reset(token)


def checkpoint_folder(job: TrainJob) -> Path:
    """Return where a job keeps its checkpoints: a retry finds them there, another job does not."""
    given = os.environ.get(CHECKPOINTS_VARIABLE)
    parent = Path(given) if given else Settings.from_environment().home / "checkpoints"
    return parent / hashlib.sha256(f"{job.digest()}\n{job.operation_key}".encode()).hexdigest()[:32]


def delete_checkpoints(folder: Path) -> None:
    """Delete a job's checkpoints; it does nothing when there are none."""
    shutil.rmtree(folder, ignore_errors=True)
