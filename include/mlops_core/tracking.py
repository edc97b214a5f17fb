"""Runs on the MLflow server, by run id and operation key; never through MLflow's global active run.

The active run is state of the process: two train jobs in one worker, or a job beside a notebook's run, would
write into each other. Every function here takes the client and names the run.
"""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mlflow import MlflowClient
from mlflow.entities import Run, RunStatus
from mlflow.exceptions import MlflowException, RestException

from mlops_core.errors import DeclarationError, RegistryUnavailableError

OPERATION_KEY_TAG = "mlops.operation_key"

CLIENT_DEFAULTS: Mapping[str, str] = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0.2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Defaults for a process that talks to MLflow: about three seconds of retries instead of several minutes.

MLflow reads its retry policy from the environment alone. A task that cannot reach the server should give its
slot back soon and leave the waiting to Airflow's retries. A variable that is set already wins.
"""

_SERVER_ERROR = 500
_TOO_MANY_REQUESTS = 429

log = logging.getLogger(__name__)


def tracking_client(tracking_uri: str) -> MlflowClient:
    """Return a client of the tracking server and registry at one address.

    The first client of a process sets those variables of ``CLIENT_DEFAULTS`` that are not set.
    """
    for name, value in CLIENT_DEFAULTS.items():
        os.environ.setdefault(name, value)
    with registry_errors(f"connect to {tracking_uri}"):
        return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


def adopt_or_create_run(
    client: MlflowClient, *, experiment: str, operation_key: str, run_name: str, tags: Mapping[str, str]
) -> str:
    """Return the id of the run of an operation key; make it if there is none.

    MLflow's client repeats a POST whose reply was lost, so one call can make two runs. The oldest is kept,
    by start time and then by id, and the others are deleted: every process that looks keeps the same one.

    Returns
    -------
    The run's id. An adopted run that is not finished is running again.

    Raises
    ------
    RegistryUnavailableError
        If the server does not answer.
    """
    with registry_errors(f"adopt or create the run of {operation_key!r}"):
        experiment_id = _experiment_id(client, experiment)
        run = find_run(client, experiment_id=experiment_id, operation_key=operation_key)
        if run is None:
            client.create_run(
                experiment_id, run_name=run_name, tags={**tags, OPERATION_KEY_TAG: operation_key}
            )
            run = _keep_oldest(client, experiment_id=experiment_id, operation_key=operation_key)
        else:
            log.info("adopted run %s of operation %s", run.info.run_id, operation_key)
        if run.info.status not in {RunStatus.to_string(RunStatus.FINISHED), _RUNNING}:
            client.update_run(run.info.run_id, status=_RUNNING)
        return str(run.info.run_id)


def find_run(client: MlflowClient, *, experiment_id: str, operation_key: str) -> Run | None:
    """Return the oldest run of an operation key, or None."""
    with registry_errors(f"search the run of {operation_key!r}"):
        runs = _runs_of(client, experiment_id=experiment_id, operation_key=operation_key)
    return runs[0] if runs else None


def finish_run(client: MlflowClient, run_id: str, *, succeeded: bool) -> None:
    """Mark a run as finished, or as failed."""
    status = RunStatus.FINISHED if succeeded else RunStatus.FAILED
    with registry_errors(f"finish run {run_id}"):
        client.set_terminated(run_id, status=RunStatus.to_string(status))


@contextmanager
def registry_errors(action: str) -> Iterator[None]:
    """Raise RegistryUnavailableError when the MLflow server does not answer, keeping the cause.

    Refused connections, timeouts, 5xx and 429 are the server's; anything else is the caller's and passes as
    it is. Nested uses translate once.

    Parameters
    ----------
    action
        What was tried, for the message: ``"create a run"``.
    """
    try:
        yield
    except Exception as error:
        if _is_unavailable(error):
            raise RegistryUnavailableError(
                f"MLflow did not answer while trying to {action}: {_first_line(error)}; "
                "is its server up? Trying again is safe"
            ) from error
        raise


def is_absent(error: MlflowException) -> bool:
    """Return whether the server answered that it has no such thing."""
    return bool(error.error_code == "RESOURCE_DOES_NOT_EXIST")


def equality_filter(field: str, value: str) -> str:
    """Write ``field = 'value'`` for MLflow's search, quoted so that the value stays a value.

    Raises
    ------
    DeclarationError
        If the value holds both kinds of quotes, which the search language cannot express.
    """
    quote = '"' if "'" in value else "'"
    if quote in value or "\n" in value:
        raise DeclarationError(f"{value!r} cannot be searched for on MLflow; use no quotes in it")
    return f"{field} = {quote}{value}{quote}"


_RUNNING = RunStatus.to_string(RunStatus.RUNNING)


def _experiment_id(client: MlflowClient, name: str) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            # Another job was first, or the reply to our own call was lost.
            experiment = client.get_experiment_by_name(name)
    if experiment is None or experiment.lifecycle_stage != "active":
        raise DeclarationError(f"MLflow experiment {name!r} is deleted; restore it, or rename the pipeline")
    return str(experiment.experiment_id)


def _runs_of(client: MlflowClient, *, experiment_id: str, operation_key: str) -> list[Run]:
    found = client.search_runs(
        [experiment_id], filter_string=equality_filter(f"tags.`{OPERATION_KEY_TAG}`", operation_key)
    )
    return sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))


def _keep_oldest(client: MlflowClient, *, experiment_id: str, operation_key: str) -> Run:
    oldest, *others = _runs_of(client, experiment_id=experiment_id, operation_key=operation_key)
    for run in others:
        log.warning("deleted run %s: a second run of operation %s", run.info.run_id, operation_key)
        client.delete_run(run.info.run_id)
    return oldest


def _is_unavailable(error: BaseException) -> bool:
    if isinstance(error, RestException):
        return bool(error.get_http_status_code() in {_TOO_MANY_REQUESTS} | set(range(500, 600)))
    # MLflow wraps what its HTTP client raised, often without naming it as the cause.
    inner: BaseException | None = error
    while isinstance(inner, MlflowException):
        inner = inner.__cause__ or inner.__context__
    return inner is not None and _is_transport_error(inner)


def _is_transport_error(error: BaseException) -> bool:
    from requests import exceptions
    from sqlalchemy.exc import OperationalError

    if isinstance(error, exceptions.HTTPError):
        status = error.response.status_code if error.response is not None else _SERVER_ERROR
        return status >= _SERVER_ERROR or status == _TOO_MANY_REQUESTS
    # Without a server the client works on the database itself, where "locked" is its way of not answering.
    return isinstance(error, exceptions.RequestException | ConnectionError | TimeoutError | OperationalError)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:300] or type(error).__name__
