"""Where a version comes from, as its tracked run recorded it."""

from mlflow import MlflowClient
from pydantic import ValidationError

from mlops_core.artifacts import find_artifact
from mlops_core.data.documents import PartitionEntry
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import CorruptedDataError, SnapshotMissingError
from mlops_core.lineage.documents import Origin, PartitionUse, Use
from mlops_core.training.environment import Environment
from mlops_core.training.job import TrainJob
from mlops_core.training.run import ENVIRONMENT_FILE, JOB_FILE

Gaps = list[str]


def read_job(client: MlflowClient, run_id: str) -> TrainJob | None:
    """Return the train job of a run, None where the run has none.

    Raises
    ------
    CorruptedDataError
        If it cannot be read.
    """
    content = find_artifact(client, run_id, JOB_FILE)
    try:
        return None if content is None else TrainJob.model_validate_json(content)
    except ValidationError as error:
        raise CorruptedDataError(f"{JOB_FILE} of run {run_id} cannot be read: {error}") from error


def read_environment(client: MlflowClient, run_id: str) -> Environment | None:
    """Return the environment of a run's fit, None where the run has none.

    Raises
    ------
    CorruptedDataError
        If it cannot be read.
    """
    content = find_artifact(client, run_id, ENVIRONMENT_FILE)
    try:
        return None if content is None else Environment.model_validate_json(content)
    except ValidationError as error:
        raise CorruptedDataError(f"{ENVIRONMENT_FILE} of run {run_id} cannot be read: {error}") from error


def read_origin(client: MlflowClient, run_id: str) -> tuple[Origin | None, Gaps]:
    """Return what a run was given, and what of it could not be read.

    Raises
    ------
    RegistryUnavailableError
        If the MLflow server does not answer.
    """
    gaps: Gaps = []
    try:
        job = read_job(client, run_id)
    except CorruptedDataError as error:
        return None, [str(error)]
    if job is None:
        return None, [f"run {run_id} holds no {JOB_FILE}: it was deleted, or another program made it"]
    try:
        environment = read_environment(client, run_id)
    except CorruptedDataError as error:
        environment = None
        gaps.append(str(error))
    entries = _entries(job, gaps)
    uses: list[tuple[str, Use]] = [(name, "training") for name in job.split.training_partitions]
    uses += [(name, "holdout") for name in job.split.holdout_partitions]
    return (
        Origin(
            run_id=run_id,
            candidate=job.candidate,
            caused_by=job.operation_key,
            snapshot=job.snapshot,
            split_digest=job.split.digest,
            partitions=tuple(_use(name, use, entries.get(name)) for name, use in uses),
            code=None if environment is None else environment.code,
        ),
        gaps,
    )


def _entries(job: TrainJob, gaps: Gaps) -> dict[str, PartitionEntry]:
    try:
        # The identity names its table, wherever that lies.
        entries = SnapshotStore(job.data_uri).partitions(job.snapshot)
    except (CorruptedDataError, SnapshotMissingError) as error:
        gaps.append(f"snapshot version {job.snapshot.version} cannot be read: {error}")
        return {}
    return {entry.partition: entry for entry in entries}


def _use(partition: str, use: Use, entry: PartitionEntry | None) -> PartitionUse:
    if entry is None:
        return PartitionUse(partition=partition, use=use)
    return PartitionUse(partition=partition, use=use, rows=entry.rows, digest=entry.digest)
