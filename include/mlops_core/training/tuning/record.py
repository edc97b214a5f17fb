"""What a search and a cross-validation leave on the job's run."""

import json

from mlflow.entities import Metric, Param

from mlops_core.tracking import registry_errors
from mlops_core.training.context import TrainingContext
from mlops_core.training.tuning.documents import CrossValidation, Tuning, TuningSummary

TUNING_FILE = "tuning.json"
CROSS_VALIDATION_FILE = "cross_validation.json"
TUNING_SCORE = "tuning_score"

_METRICS_A_CALL = 900
_LONGEST_PARAMETER = 6000


def log_trials(context: TrainingContext, tuning: Tuning) -> None:
    """Log every trial in one file, and the scores of the complete ones as one series, a step a trial.

    Logging the same again changes nothing: each score has the time at which its trial ended.
    """
    client, run_id = context.client, context.run_id
    if client is None:
        return
    metrics = [
        Metric(TUNING_SCORE, trial.score, int(trial.finished_at * 1000), trial.number)
        for trial in tuning.trials
        if trial.score is not None
    ]
    with registry_errors(f"log the trials of run {run_id}"):
        client.log_text(run_id, tuning.model_dump_json(indent=2), TUNING_FILE)
        for start in range(0, len(metrics), _METRICS_A_CALL):
            client.log_batch(run_id, metrics=metrics[start : start + _METRICS_A_CALL])


def log_tuned(context: TrainingContext, summary: TuningSummary | None) -> None:
    """Log the chosen parameters, as ``tuned.<name>``; nothing if nothing was looked for.

    MLflow's parameters cannot be changed, so this comes last: a search with a time limit that begins again
    may choose others.
    """
    client, run_id = context.client, context.run_id
    if client is None or summary is None:
        return
    parameters = [
        Param(f"tuned.{name}", (value if isinstance(value, str) else json.dumps(value))[:_LONGEST_PARAMETER])
        for name, value in summary.parameters.items()
    ]
    with registry_errors(f"log the chosen parameters of run {run_id}"):
        client.log_batch(run_id, params=parameters)


def log_cross_validation(context: TrainingContext, found: CrossValidation) -> None:
    """Log a cross-validation as a file. It is no metric, which somebody would compare with held-out ones."""
    client, run_id = context.client, context.run_id
    if client is None:
        return
    with registry_errors(f"log the cross-validation of run {run_id}"):
        client.log_text(run_id, found.model_dump_json(indent=2), CROSS_VALIDATION_FILE)
