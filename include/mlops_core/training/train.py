"""The one function that runs a train job, wherever it runs."""

import contextlib
import inspect
import logging
from pathlib import Path
from typing import Any

from mlops_core.data.parquet import PARTITION_COLUMN
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DeclarationError, RegistryUnavailableError, RejectedError
from mlops_core.models.loaded import LoadedModel
from mlops_core.models.record import ModelRecord
from mlops_core.models.stored import log_model
from mlops_core.pipeline import Pipeline, load_pipeline
from mlops_core.references import resolve
from mlops_core.tracking import finish_run, tracking_client
from mlops_core.training import run as tracked
from mlops_core.training.context import (
    TrainingContext,
    checkpoint_folder,
    delete_checkpoints,
    training_context,
)
from mlops_core.training.environment import capture_environment
from mlops_core.training.fit import fit_candidate
from mlops_core.training.job import TrainJob, TrainResult
from mlops_core.training.metrics import training_metrics
from mlops_core.training.processes import (
    Others,
    Processes,
    failing_alike,
    hear,
    joined,
    leading,
    told_to_fit,
)
from mlops_core.training.resources import ResourceMonitor, log_usage
from mlops_core.training.rows import LabelledRows, labelled_rows
from mlops_core.training.tuning.record import log_tuned
from mlops_core.training.tuning.step import choose_parameters

_EXAMPLE_ROWS = 5

log = logging.getLogger(__name__)


def train(job: TrainJob, *, pipeline: Pipeline | None = None) -> TrainResult:
    """Fit one candidate on the training partitions of a snapshot, and store the model in a tracked run.

    It may be ended anywhere and called again with the same job: the run is found and completed, and a run
    that was finished answers with its result without another fit.

    Where torchrun has started several processes, each calls this: all read the rows and fit together, the
    first alone talks to MLflow and stores the model, and all return its result.

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
    LeaderFailedError
        In the other processes, if the first has failed.
    """
    declared = load_pipeline(job.reference) if pipeline is None else pipeline
    if declared.name != job.pipeline:
        raise DeclarationError(
            f"the job is for pipeline {job.pipeline!r}, the declaration is {declared.name!r}"
        )
    fit = resolve(declared.candidate(job.candidate).fit)
    processes = Processes.from_environment()
    with joined(processes):
        if not processes.leads:
            return _fit_beside(processes, job=job, pipeline=declared, fit=fit)
        with leading(processes) as others:
            result = _lead(processes, others, job=job, pipeline=declared, fit=fit)
            others.finish(result.model_dump_json())
    delete_checkpoints(checkpoint_folder(job))
    return result


def _lead(
    processes: Processes, others: Others, *, job: TrainJob, pipeline: Pipeline, fit: Any
) -> TrainResult:
    """Run the job in its tracked run, as the only process or as the first of several."""
    client = tracking_client(job.tracking_uri)
    run_id = tracked.adopt_run(client, job)
    finished = tracked.finished_result(client, run_id)
    if finished is not None:
        log.info("run %s is finished; its result is handed out again", run_id)
        return finished
    tracked.reset_run(client, run_id)
    context = TrainingContext(
        run_id=run_id,
        client=client,
        checkpoints=checkpoint_folder(job),
        rank=processes.rank,
        world_size=processes.world_size,
    )
    try:
        with training_context(context):
            result = _fit_in_run(context, others, job=job, pipeline=pipeline, fit=fit)
        finish_run(client, run_id, succeeded=True)
    except Exception as error:
        if isinstance(error, RejectedError | DeclarationError):
            # Trying again starts from the beginning: what was fitted so far led to this.
            delete_checkpoints(context.checkpoints)
        # The error that ended the fit matters more than whether the server could be told of it.
        with contextlib.suppress(RegistryUnavailableError):
            finish_run(client, run_id, succeeded=False)
        raise
    return result


def _fit_beside(processes: Processes, *, job: TrainJob, pipeline: Pipeline, fit: Any) -> TrainResult:
    """Help the first process to fit, and return what it has made of it."""
    word = hear()
    if told_to_fit(word):
        context = TrainingContext(
            run_id="",
            checkpoints=checkpoint_folder(job),
            rank=processes.rank,
            world_size=processes.world_size,
        )
        with failing_alike(), training_context(context):
            fit_candidate(
                fit,
                _read_rows(job, pipeline),
                candidate=job.candidate,
                parameters=job.parameters,
                seed=job.seed,
            )
        word = hear()
    # On its own disk, where it kept its own.
    delete_checkpoints(checkpoint_folder(job))
    return TrainResult.model_validate_json(word)


def _fit_in_run(
    context: TrainingContext, others: Others, *, job: TrainJob, pipeline: Pipeline, fit: Any
) -> TrainResult:
    client, run_id = context.client, context.run_id
    environment = capture_environment(Path(inspect.getfile(fit)).parent)
    tracked.log_job(client, run_id, job=job, environment=environment)
    rows = _read_rows(job, pipeline)
    tracked.log_dataset(client, run_id, job=job, features=rows.types, rows=len(rows.target))
    chosen = choose_parameters(context, rows, job=job, pipeline=pipeline, fit=fit)
    others.fit()
    with ResourceMonitor() as monitor:
        estimator = fit_candidate(
            fit, rows, candidate=job.candidate, parameters=chosen.parameters, seed=job.seed
        )
    fit_seconds = monitor.usage.wall_seconds
    others.fitted()
    log.info("fitted %s on %d rows in %.1f s", job.candidate, len(rows.target), fit_seconds)
    # The model first: a metric that is refused must not cost the weights that explain it.
    record, fitted = _store(context, estimator, rows=rows, pipeline=pipeline)
    result = TrainResult(
        candidate=job.candidate,
        run_id=run_id,
        model=record,
        parameters=dict(chosen.parameters),
        rows=len(rows.target),
        fit_seconds=fit_seconds,
        training_metrics=training_metrics(fitted, rows, seed=job.seed),
        tuning=chosen.tuning,
        cross_validation=chosen.cross_validation,
    )
    log_usage(client, run_id, monitor.usage)
    log_tuned(context, chosen.tuning)
    tracked.log_result(client, run_id, result=result)
    return result


def _store(
    context: TrainingContext, estimator: Any, *, rows: LabelledRows, pipeline: Pipeline
) -> tuple[ModelRecord, LoadedModel]:
    """Store a model in its run, and return what was stored and the model as it predicts."""
    example = rows.features.head(_EXAMPLE_ROWS)
    record = log_model(
        context.client,
        run_id=context.run_id,
        estimator=estimator,
        pipeline=pipeline,
        input_example=example,
        features=rows.types,
    )
    fitted = LoadedModel.of(
        estimator, task=pipeline.task, features=rows.types, input_example=example, digest=record.digest
    )
    return record, fitted


def _read_rows(job: TrainJob, pipeline: Pipeline) -> LabelledRows:
    store, partitions = SnapshotStore(job.data_uri), job.split.training_partitions
    columns = None if pipeline.features is None else [*pipeline.features, pipeline.target]
    if job.needs_folds:
        columns = columns or store.schema(job.snapshot, partition=partitions[0]).names
        columns = [*columns, PARTITION_COLUMN]
    return labelled_rows(store.read(job.snapshot, partitions=partitions, columns=columns), pipeline=pipeline)
