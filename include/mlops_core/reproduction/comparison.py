"""How two stored models differ: in their files, and in what they predict."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from mlops_core.evaluation.catalogue import Task
from mlops_core.models.content import digest_of, file_contents
from mlops_core.models.directory import named_code
from mlops_core.models.loaded import LoadedModel, Predictions
from mlops_core.models.stored import ModelReference, load_model
from mlops_core.models.trust import Trust, TrustedCode
from mlops_core.reproduction.report import Difference, PredictionDifference


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """A model that was verified and loaded.

    Parameters
    ----------
    files
        Sha256 of each file's content, by its relative path; see ``file_contents``.
    named
        What its own files say that it may be built from.
    """

    model: LoadedModel
    files: Mapping[str, str]
    named: TrustedCode

    @property
    def content(self) -> str:
        """The content digest."""
        return digest_of(self.files)


def fetch(reference: ModelReference, *, tracking_uri: str, trusted: Trust) -> StoredModel:
    """Download a model, verify it and load it.

    Parameters
    ----------
    trusted
        What it may be built from; see ``load_model``.

    Raises
    ------
    UntrustedModelError
        If it is not what its digest says, or names or holds what is not trusted.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-comparison-") as folder:
        model = load_model(reference, tracking_uri=tracking_uri, trusted=trusted, cache=Path(folder))
        kept = Path(folder) / reference.digest
        return StoredModel(model=model, files=file_contents(kept), named=named_code(kept))


def differing_files(recorded: StoredModel, rebuilt: StoredModel) -> tuple[str, ...]:
    """Return the names of files with another content, or that only one of the two has."""
    names = recorded.files.keys() | rebuilt.files.keys()
    return tuple(name for name in sorted(names) if recorded.files.get(name) != rebuilt.files.get(name))


def differing_values(recorded: Mapping[str, object], rebuilt: Mapping[str, object]) -> tuple[Difference, ...]:
    """Return which values of one name differ, as text."""
    first, second = ({name: str(value) for name, value in side.items()} for side in (recorded, rebuilt))
    return tuple(
        Difference(name=name, recorded=first.get(name), rebuilt=second.get(name))
        for name in sorted(first.keys() | second.keys())
        if first.get(name) != second.get(name)
    )


def prediction_difference(
    recorded: LoadedModel,
    rebuilt: LoadedModel,
    *,
    rows: pd.DataFrame,
    rows_of: Literal["input example", "held-out rows"],
) -> PredictionDifference:
    """Ask both models the same rows and return how far their scores lie apart.

    Scores that cannot be compared, because one is no number or there are other classes, have no difference
    that is small.
    """
    first, second = recorded.predict(rows), rebuilt.predict(rows)
    apart = _distances(first, second, same_classes=recorded.classes == rebuilt.classes)
    comparable = apart is not None and apart.size > 0 and bool(np.isfinite(apart).all())
    return PredictionDifference(
        rows_of=rows_of,
        rows=len(rows),
        largest=float(apart.max()) if apart is not None and comparable else None,
        mean=float(apart.mean()) if apart is not None and comparable else None,
        changed_labels=_changed_labels(first, second, task=recorded.task),
    )


def _changed_labels(first: Predictions, second: Predictions, *, task: Task) -> int:
    # A regression's labels are its scores, which have a tolerance.
    return 0 if task is Task.REGRESSION else int((first.labels != second.labels).sum())


def _distances(first: Predictions, second: Predictions, *, same_classes: bool) -> np.ndarray | None:
    if not same_classes or first.scores.shape != second.scores.shape:
        return None
    distances: np.ndarray = np.abs(first.scores - second.scores)
    return distances
