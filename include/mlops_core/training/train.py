"""The one function that runs a train job, wherever it runs."""

import contextlib
import inspect
import logging
import time
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DeclarationError, RegistryUnavailableError
from mlops_core.models.loaded import LoadedModel
from mlops_core.models.stored import log_model
from mlops_core.pipeline import Pipeline
from mlops_core.references import resolve
from mlops_core.tracking import finish_run, tracking_client
from mlops_core.training import run as tracked
from mlops_core.training.environment import capture_environment
from mlops_core.training.job import TrainJob, TrainResult
from mlops_core.training.metrics import training_metrics
from mlops_core.training.rows import LabelledRows, labelled_rows
from mlops_core.training.seeds import seeded

_EXAMPLE_ROWS = 5

log = logging.getLogger(__name__)


def train(job: TrainJob, *, pipeline: Pipeline | None = None) -> TrainResult:
    """Fit one candidate on the training partitions of a snapshot, and store the model in a tracked run.

    It may be ended anywhere and called again with the same job: the run is found and completed, and a run
    that was finished answers with its result without another fit.

    Parameters
    ----------
    pipeline
        The declaration; imported from ``job.reference`` if None.

    Raises
    ------
    DeclarationError
        If the job does not fit the pipeline, or the fit returns something else than its task needs.
    RejectedError
        If the data cannot be trained on, or a metric is not finite. The run is marked as failed.
    RegistryUnavailableError
        If MLflow does not answer; call again.
    """
    declared = resolve_pipeline(job) if pipeline is None else pipeline
    if declared.name != job.pipeline:
        raise DeclarationError(
            f"the job is for pipeline {job.pipeline!r}, the declaration is {declared.name!r}"
        )
    fit = resolve(declared.candidate(job.candidate).fit)
    client = tracking_client(job.tracking_uri)
    run_id = tracked.adopt_run(client, job)
    finished = tracked.finished_result(client, run_id)
    if finished is not None:
        log.info("run %s is finished; its result is handed out again", run_id)
        return finished
    tracked.reset_run(client, run_id)
    try:
        result = _fit_in_run(client, run_id, job=job, pipeline=declared, fit=fit)
        finish_run(client, run_id, succeeded=True)
    except Exception:
        # The error that ended the fit matters more than whether the server could be told of it.
        with contextlib.suppress(RegistryUnavailableError):
            finish_run(client, run_id, succeeded=False)
        raise
    return result


def resolve_pipeline(job: TrainJob) -> Pipeline:
    """Import the declaration that a job names.

    Raises
    ------
    DeclarationError
        If there is none.
    """
    declared = resolve(job.reference)
    if not isinstance(declared, Pipeline):
        raise DeclarationError(f"{job.reference!r} is a {type(declared).__name__}, not a Pipeline")
    return declared


def _fit_in_run(
    client: MlflowClient, run_id: str, *, job: TrainJob, pipeline: Pipeline, fit: Any
) -> TrainResult:
    environment = capture_environment(Path(inspect.getfile(fit)).parent)
    tracked.log_job(client, run_id, job=job, environment=environment)
    rows = _read_rows(job, pipeline)
    tracked.log_dataset(client, run_id, job=job, features=rows.types, rows=len(rows.target))
    started = time.perf_counter()
    estimator = _fit(fit, rows=rows, job=job)
    fit_seconds = time.perf_counter() - started
    log.info("fitted %s on %d rows in %.1f s", job.candidate, len(rows.target), fit_seconds)
    # The model first: a metric that is refused must not cost the weights that explain it.
    record = log_model(
        client,
        run_id=run_id,
        estimator=estimator,
        pipeline=pipeline,
        input_example=rows.features.head(_EXAMPLE_ROWS),
        features=rows.types,
    )
    fitted = LoadedModel.of(
        estimator,
        task=pipeline.task,
        features=rows.types,
        input_example=rows.features.head(_EXAMPLE_ROWS),
        digest=record.digest,
    )
    result = TrainResult(
        candidate=job.candidate,
        run_id=run_id,
        model=record,
        parameters=job.parameters,
        rows=len(rows.target),
        fit_seconds=fit_seconds,
        training_metrics=training_metrics(fitted, rows, seed=job.seed),
    )
    tracked.log_result(client, run_id, result=result)
    return result


def _read_rows(job: TrainJob, pipeline: Pipeline) -> LabelledRows:
    columns = None if pipeline.features is None else [*pipeline.features, pipeline.target]
    table = SnapshotStore(job.data_uri).read(
        job.snapshot, partitions=job.split.training_partitions, columns=columns
    )
    return labelled_rows(table, pipeline=pipeline)


def _fit(fit: Any, *, rows: LabelledRows, job: TrainJob) -> Any:
    # Shallow copies: pandas copies what is written to, so a fit that changes them changes its own.
    features, target = rows.features.copy(deep=False), rows.target.copy(deep=False)
    try:
        call = inspect.signature(fit).bind(features, target, seed=job.seed, **job.parameters)
    except TypeError as error:
        raise DeclarationError(
            f"candidate {job.candidate!r}: its fit cannot be called with (features, target, seed, "
            f"{', '.join(job.parameters) or 'no parameters'}): {error}"
        ) from error
    with seeded(job.seed):
        return fit(*call.args, **call.kwargs)
