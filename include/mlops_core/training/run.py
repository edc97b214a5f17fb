"""What a train job leaves on the MLflow server, and how a retry finds it again.

MLflow's autologging is not used: it patches scikit-learn in the whole process, writes to the global active
run and logs metrics before the model. What it would log is logged here explicitly: parameters (with the model
those of its estimator), the dataset, the signature, an input example, training metrics.
"""

import json
import time
from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from pydantic import JsonValue, ValidationError

from mlops_core.artifacts import find_artifact
from mlops_core.errors import DeclarationError
from mlops_core.models.stored import DIGEST_TAG
from mlops_core.operation import operation_key
from mlops_core.tracking import adopt_or_create_run, equality_filter, is_absent, registry_errors
from mlops_core.training.environment import Environment
from mlops_core.training.job import TrainJob, TrainResult

JOB_DIGEST_TAG = "mlops.job_digest"
JOB_FILE = "train_job.json"
ENVIRONMENT_FILE = "environment.json"
RESULT_FILE = "train_result.json"

_LONGEST_PARAMETER = 6000
_PARAMETERS_A_CALL = 100
_DATASET_DIGEST_LENGTH = 36


def run_key(job: TrainJob) -> str:
    """Return the key under which a job's run is found again.

    It holds the job's digest besides what caused it. A task that is cleared after its plan has changed asks
    for another model, and must not get the former one's run.
    """
    return operation_key(job.operation_key, job.digest()[:16])


def adopt_run(client: MlflowClient, job: TrainJob) -> str:
    """Return the id of the job's run: the one it names, that of an earlier try, or a new one.

    Raises
    ------
    DeclarationError
        If the run that the job names belongs to another job.
    """
    if job.run_id is None:
        return adopt_or_create_run(
            client,
            experiment=job.pipeline,
            operation_key=run_key(job),
            run_name=job.candidate,
            tags=_tags(job),
        )
    with registry_errors(f"read run {job.run_id}"):
        owner = client.get_run(job.run_id).data.tags.get(JOB_DIGEST_TAG, job.digest())
        if owner != job.digest():
            raise DeclarationError(
                f"run {job.run_id} belongs to another train job ({owner[:12]}…, this one is "
                f"{job.digest()[:12]}…); leave run_id out, or make a run for this job"
            )
        client.log_batch(job.run_id, tags=[RunTag(name, value) for name, value in _tags(job).items()])
    return job.run_id


def finished_result(client: MlflowClient, run_id: str) -> TrainResult | None:
    """Return what a finished run made, or None if it is not finished or its model is gone."""
    with registry_errors(f"read the result of run {run_id}"):
        if client.get_run(run_id).info.status != "FINISHED":
            return None
        content = find_artifact(client, run_id, RESULT_FILE)
        if content is None:
            return None
        try:
            result = TrainResult.model_validate_json(content)
            model = client.get_logged_model(result.model.model_id)
        except ValidationError:
            return None
        except MlflowException as error:
            if not is_absent(error):
                raise
            return None
    stored = model.status == "READY" and model.tags.get(DIGEST_TAG) == result.model.digest
    return result if stored else None


def reset_run(client: MlflowClient, run_id: str) -> None:
    """Prepare an unfinished run for another try: it runs, and models of earlier tries are deleted.

    No one was ever told of those models, because a result is handed out only after its run is finished.
    """
    with registry_errors(f"reset run {run_id}"):
        client.update_run(run_id, status="RUNNING")
        experiment_id = client.get_run(run_id).info.experiment_id
        for model in client.search_logged_models(
            [experiment_id], filter_string=equality_filter("source_run_id", run_id)
        ):
            client.delete_logged_model(model.model_id)


def log_job(client: MlflowClient, run_id: str, *, job: TrainJob, environment: Environment) -> None:
    """Log what is known before the fit: parameters, software, code version."""
    parameters = [
        Param(name, value[:_LONGEST_PARAMETER])
        for name, value in {
            "candidate": job.candidate,
            "seed": str(job.seed),
            **{f"parameters.{name}": _as_text(value) for name, value in job.parameters.items()},
        }.items()
    ]
    tags = [RunTag("mlops.python", environment.python)]
    if environment.code is not None:
        tags.append(RunTag("mlflow.source.git.commit", environment.code.commit))
        tags.append(RunTag("mlops.code_modified", str(environment.code.modified).lower()))
    with registry_errors(f"log the job of run {run_id}"):
        for start in range(0, len(parameters), _PARAMETERS_A_CALL):
            client.log_batch(run_id, params=parameters[start : start + _PARAMETERS_A_CALL])
        client.log_batch(run_id, tags=tags)
        client.log_text(run_id, job.model_dump_json(indent=2), JOB_FILE)
        client.log_text(run_id, environment.model_dump_json(indent=2), ENVIRONMENT_FILE)


def log_dataset(
    client: MlflowClient, run_id: str, *, job: TrainJob, features: Mapping[str, str], rows: int
) -> None:
    """Log the snapshot as the run's dataset input. Logging the same again changes nothing."""
    snapshot = job.snapshot
    source = {
        "path": snapshot.table_uri,
        "delta_table_version": snapshot.version,
        "digest": snapshot.digest,
        "partitions": list(job.split.training_partitions),
    }
    schema = {"mlflow_colspec": [{"name": name, "type": kind} for name, kind in features.items()]}
    dataset = Dataset(
        name=job.pipeline,
        digest=snapshot.digest[:_DATASET_DIGEST_LENGTH],
        source_type="delta_table",
        source=json.dumps(source),
        schema=json.dumps(schema),
        profile=json.dumps({"num_rows": rows}),
    )
    tags = [InputTag("mlflow.data.context", "training"), InputTag("mlops.split_digest", job.split.digest)]
    with registry_errors(f"log the dataset of run {run_id}"):
        client.log_inputs(run_id, datasets=[DatasetInput(dataset, tags)])


def log_result(client: MlflowClient, run_id: str, *, result: TrainResult) -> None:
    """Log metrics, and last the result itself: where it lies, everything before it does too."""
    now_milliseconds = int(time.time() * 1000)
    values = {
        "rows": float(result.rows),
        "fit_seconds": result.fit_seconds,
        **{f"training_{name}": value for name, value in result.training_metrics.items()},
    }
    metrics = [
        Metric(name, value, now_milliseconds, 0, model_id=result.model.model_id)
        for name, value in values.items()
    ]
    with registry_errors(f"log the result of run {run_id}"):
        client.log_batch(run_id, metrics=metrics)
        client.log_text(run_id, result.model_dump_json(indent=2), RESULT_FILE)


def _tags(job: TrainJob) -> dict[str, str]:
    return {
        JOB_DIGEST_TAG: job.digest(),
        "mlops.caused_by": job.operation_key,
        "mlops.pipeline": job.pipeline,
        "mlops.candidate": job.candidate,
        "mlops.snapshot_version": str(job.snapshot.version),
        "mlops.snapshot_digest": job.snapshot.digest,
        "mlops.split_digest": job.split.digest,
    }


def _as_text(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
