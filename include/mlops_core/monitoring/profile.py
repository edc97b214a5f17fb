"""The reference profile: what a version's held-out rows and scores looked like, kept with its MLflow run.

Windows are compared with the counts in the profile, so comparing needs neither the held-out rows nor the
model. A bounded sample of rows is kept beside it for pages that draw distributions.
"""

import hashlib
import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mlflow import MlflowClient
from pydantic import Field, ValidationError

from mlops_core.artifacts import find_artifact
from mlops_core.data.documents import SnapshotIdentity
from mlops_core.document import Document
from mlops_core.errors import CorruptedDataError, EmptySampleError, ProfileMissingError
from mlops_core.evaluation.report import EvaluationReport, Score
from mlops_core.models.loaded import LoadedModel, Predictions
from mlops_core.monitoring.binning import ReferenceColumn
from mlops_core.pipeline import Pipeline
from mlops_core.predictions import SCORE_COLUMN
from mlops_core.tracking import registry_errors

PROFILE_TAG = "mlops.reference_profile_digest"
"""The run's tag that names its profile."""

_FOLDER = "reference_profile"
_PROFILE = "profile.json"
_SAMPLE = "sample.parquet"


class ReferenceProfile(Document):
    """What a window is compared with.

    ``classes`` are the model's, in the order of its scores; empty for regression. ``metrics`` are its scores
    on the rows whose target was known.
    """

    pipeline: str
    model_digest: str
    snapshot: SnapshotIdentity
    partitions: tuple[str, ...] = Field(description="That the rows are from")
    rows: int = Field(gt=0)
    features: tuple[ReferenceColumn, ...]
    scores: tuple[ReferenceColumn, ...]
    classes: tuple[bool | int | float | str, ...] = ()
    metrics: tuple[Score, ...] = ()
    sample_rows: int = Field(gt=0)
    sample_digest: str = Field(description="SHA-256 of the sample's file")

    def metric(self, name: str) -> Score | None:
        """Return the reference's score of that metric if there is one."""
        return next((score for score in self.metrics if score.metric == name), None)

    def canonical_json(self) -> str:
        """Return the one JSON text of this profile: keys sorted, no spaces, ASCII."""
        return json.dumps(
            self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), allow_nan=False
        )

    def digest(self) -> str:
        """Return the SHA-256 of the canonical JSON; it covers the sample by its digest."""
        return hashlib.sha256(self.canonical_json().encode("ascii")).hexdigest()


def score_columns(predictions: Predictions, *, classes: Sequence[object]) -> dict[str, np.ndarray]:
    """Return the scores by column, named as in the table of batch predictions."""
    if predictions.scores.ndim == 1:
        return {SCORE_COLUMN: predictions.scores}
    return {f"{SCORE_COLUMN}_{name}": predictions.scores[:, column] for column, name in enumerate(classes)}


def build_profile(
    pipeline: Pipeline,
    *,
    rows: pa.Table,
    predictions: Predictions,
    model: LoadedModel,
    report: EvaluationReport,
) -> tuple[ReferenceProfile, bytes]:
    """Count the held-out rows and their scores, and draw the sample.

    Parameters
    ----------
    rows
        The held-out rows, those without a known target too: a window has such rows as well.
    predictions
        The model's, in the order of the rows.
    model
        Its features are the columns that are watched.
    report
        Names the snapshot and the held-out partitions, and holds the model's scores on them.

    Returns
    -------
    The profile and the sample's Parquet file. The same arguments give the same of both.

    Raises
    ------
    EmptySampleError
        If there are no rows.
    """
    if rows.num_rows == 0:
        raise EmptySampleError(
            f"a reference profile of {pipeline.name!r} needs rows; the held-out part has none"
        )
    scores = score_columns(predictions, classes=model.classes)
    scored = pa.table({name: pa.array(values, type=pa.float64()) for name, values in scores.items()})
    chosen = _chosen(rows.num_rows, at_most=pipeline.monitor.reference_rows, seed=pipeline.seed)
    sample = _parquet(_beside(rows.select(list(model.features)), scored).take(chosen))
    profile = ReferenceProfile(
        pipeline=pipeline.name,
        model_digest=model.digest,
        snapshot=report.snapshot,
        partitions=report.split.holdout_partitions,
        rows=rows.num_rows,
        features=tuple(ReferenceColumn.of(name, rows.column(name)) for name in model.features),
        scores=tuple(ReferenceColumn.of(name, scored.column(name)) for name in scored.column_names),
        classes=model.classes,
        metrics=report.challenger.scores,
        sample_rows=len(chosen),
        sample_digest=hashlib.sha256(sample).hexdigest(),
    )
    return profile, sample


def log_profile(client: MlflowClient, run_id: str, *, profile: ReferenceProfile, sample: bytes) -> None:
    """Keep a profile with a run; the tag comes last, so a run that has it has all of it.

    Again with the same profile writes the same files.

    Raises
    ------
    RegistryUnavailableError
        If the MLflow server does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-profile-") as folder:
        Path(folder, _PROFILE).write_text(profile.canonical_json(), encoding="ascii")
        Path(folder, _SAMPLE).write_bytes(sample)
        with registry_errors(f"log the reference profile of run {run_id}"):
            client.log_artifacts(run_id, folder, _FOLDER)
            client.set_tag(run_id, PROFILE_TAG, profile.digest())


def read_profile(client: MlflowClient, run_id: str) -> ReferenceProfile:
    """Read a run's profile and check that it is the one that was logged.

    Raises
    ------
    ProfileMissingError
        If the run has none.
    CorruptedDataError
        If it differs from its digest.
    RegistryUnavailableError
        If the MLflow server does not answer.
    """
    with registry_errors(f"read the reference profile of run {run_id}"):
        digest = client.get_run(run_id).data.tags.get(PROFILE_TAG)
    if digest is None:
        raise ProfileMissingError(f"run {run_id} has no reference profile; capture it from its evaluation")
    content = _download(client, run_id, _PROFILE, digest=digest)
    try:
        return ReferenceProfile.model_validate_json(content)
    except ValidationError as error:
        raise CorruptedDataError(
            f"the reference profile of run {run_id} cannot be read by this version: {error}"
        ) from error


def read_sample(client: MlflowClient, run_id: str, *, profile: ReferenceProfile) -> pa.Table:
    """Read the sample of rows of a run's profile, with a column for each score.

    Raises
    ------
    CorruptedDataError
        If it differs from the digest that the profile names.
    RegistryUnavailableError
        If the MLflow server does not answer.
    """
    content = _download(client, run_id, _SAMPLE, digest=profile.sample_digest)
    return pq.read_table(io.BytesIO(content))


def _download(client: MlflowClient, run_id: str, name: str, *, digest: str) -> bytes:
    content = find_artifact(client, run_id, f"{_FOLDER}/{name}")
    if content is None:
        raise CorruptedDataError(f"run {run_id} lost its {_FOLDER}/{name}; capture the profile again")
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise CorruptedDataError(
            f"{_FOLDER}/{name} of run {run_id} has the digest {found[:12]}, {digest[:12]} was logged: it was"
            " changed after it was written; capture the profile again"
        )
    return content


def _chosen(rows: int, *, at_most: int, seed: int) -> np.ndarray:
    if rows <= at_most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, size=at_most, replace=False))


def _beside(left: pa.Table, right: pa.Table) -> pa.Table:
    taken = set(left.column_names)
    for name in right.column_names:
        if name not in taken:
            left = left.append_column(name, right.column(name))
    return left


def _parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(None), file, compression="zstd")
    return file.getvalue()
