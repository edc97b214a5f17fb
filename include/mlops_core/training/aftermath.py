"""What a train job's run is told by who followed its containers: a process that was killed tells nothing."""

from collections.abc import Mapping
from typing import Literal

from mlflow import MlflowClient
from mlflow.entities import Run, RunStatus

from mlops_core.tracking import find_run, registry_errors
from mlops_core.training.job import TrainJob
from mlops_core.training.resources import log_usage
from mlops_core.training.run import JOB_DIGEST_TAG, run_key

_RUNNING = RunStatus.to_string(RunStatus.RUNNING)
_FINISHED = RunStatus.to_string(RunStatus.FINISHED)


def record_usage(client: MlflowClient, job: TrainJob, usage: Mapping[str, float | None]) -> None:
    """Record on the job's run what its containers have used, unless it is finished and says so itself.

    Raises
    ------
    RegistryUnavailableError
        If MLflow does not answer.
    """
    run = _run_of(client, job)
    if run is not None and run.info.status != _FINISHED:
        log_usage(client, run.info.run_id, usage)


def record_end(client: MlflowClient, job: TrainJob, status: Literal["FAILED", "KILLED"]) -> None:
    """End the job's run if it still runs, though nothing fits any more and nothing will.

    Raises
    ------
    RegistryUnavailableError
        If MLflow does not answer.
    """
    run = _run_of(client, job)
    if run is not None and run.info.status == _RUNNING:
        with registry_errors(f"end run {run.info.run_id}"):
            client.set_terminated(run.info.run_id, status=status)


def _run_of(client: MlflowClient, job: TrainJob) -> Run | None:
    """Return the run that the job has adopted or made; None if it did not come so far."""
    with registry_errors(f"search the run of {job.operation_key!r}"):
        if job.run_id is not None:
            run = client.get_run(job.run_id)
        else:
            experiment = client.get_experiment_by_name(job.pipeline)
            run = experiment and find_run(
                client, experiment_id=experiment.experiment_id, operation_key=run_key(job)
            )
    return run if run is not None and run.data.tags.get(JOB_DIGEST_TAG) == job.digest() else None
