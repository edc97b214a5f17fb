"""What a train job does before its fit: it looks for parameters, and cross-validates. It may do neither."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from mlops_core.errors import DeclarationError
from mlops_core.evaluation.catalogue import find_metric
from mlops_core.pipeline import Pipeline
from mlops_core.training.context import TrainingContext
from mlops_core.training.job import TrainJob
from mlops_core.training.rows import LabelledRows
from mlops_core.training.tuning.documents import CrossValidation, TuningSummary
from mlops_core.training.tuning.nested import cross_validate
from mlops_core.training.tuning.procedure import Procedure
from mlops_core.training.tuning.record import log_cross_validation, log_trials
from mlops_core.training.tuning.search import best_parameters, tune

_FOLDER = "tuning"


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The parameters that the model is fitted with, and what is known of them by now."""

    parameters: Mapping[str, JsonValue]
    tuning: TuningSummary | None = None
    cross_validation: CrossValidation | None = None


def choose_parameters(
    context: TrainingContext,
    rows: LabelledRows,
    *,
    job: TrainJob,
    pipeline: Pipeline,
    fit: Callable[..., Any],
) -> Chosen:
    """Run the job's search and its cross-validation on the training rows, and log both.

    Raises
    ------
    DeclarationError
        If the fit takes other parameters, or several processes fit the job.
    EvaluationError
        If every trial has failed, or a fold cannot be scored. The trials are logged all the same.
    """
    if not job.needs_folds:
        return Chosen(parameters=job.parameters)
    _check(job, fit, world_size=context.world_size)
    metric = job.search.metric if job.search else None
    procedure = Procedure(
        fit=fit,
        candidate=job.candidate,
        task=pipeline.task,
        metric=find_metric(metric) if metric else pipeline.primary_metric,
        seed=job.seed,
        parameters=job.parameters,
    )
    folder = context.checkpoints / _FOLDER
    found: dict[str, JsonValue] = {}
    summary = validation = None
    if job.search:
        tuning = tune(procedure, rows, search=job.search, name="search", folder=folder)
        log_trials(context, tuning)
        found = best_parameters(tuning, name=f"candidate {job.candidate!r}")
        summary = tuning.summary()
    if job.cross_validation:
        validation = cross_validate(
            procedure, rows, folds=job.cross_validation, search=job.search, folder=folder
        )
        log_cross_validation(context, validation)
    return Chosen(parameters={**job.parameters, **found}, tuning=summary, cross_validation=validation)


def _check(job: TrainJob, fit: Callable[..., Any], *, world_size: int) -> None:
    if world_size > 1:
        raise DeclarationError(
            f"candidate {job.candidate!r}: {world_size} processes fit it, and a search or a cross-validation "
            "needs one; declare a runner of one process, or leave search and cross_validation out"
        )
    names = [*job.parameters, *(job.search.parameters if job.search else ())]
    try:
        inspect.signature(fit).bind(None, None, seed=job.seed, **dict.fromkeys(names))
    except TypeError as error:
        raise DeclarationError(
            f"candidate {job.candidate!r}: its fit does not take the parameters {', '.join(names)}: {error}"
        ) from error
