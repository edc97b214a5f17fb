"""Files of tracked runs, read back."""

import tempfile
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from mlops_core.tracking import is_absent, registry_errors


def find_artifact(client: MlflowClient, run_id: str, path: str) -> bytes | None:
    """Return the content of a run's file, or None where there is no such run or file.

    Raises
    ------
    RegistryUnavailableError
        If the MLflow server does not answer.
    """
    folder = path.rpartition("/")[0]
    if path not in list_artifacts(client, run_id, folder):
        return None
    with registry_errors(f"read {path} of run {run_id}"), tempfile.TemporaryDirectory() as into:
        return Path(client.download_artifacts(run_id, path, into)).read_bytes()


def list_artifacts(client: MlflowClient, run_id: str, folder: str = "") -> tuple[str, ...]:
    """Return the paths of the files in one folder of a run, sorted; none where there is no such run.

    Raises
    ------
    RegistryUnavailableError
        If the MLflow server does not answer.
    """
    with registry_errors(f"list the files of run {run_id}"):
        try:
            found = client.list_artifacts(run_id, folder or None)
        except MlflowException as error:
            # The latter is said of an id that no run could have.
            if not is_absent(error) and error.error_code != "INVALID_PARAMETER_VALUE":
                raise
            return ()
    return tuple(sorted(file.path for file in found if not file.is_dir))
