"""The hook of an MLflow tracking server and model registry."""

import os
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from airflow.sdk import BaseHook

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from mlflow.tracking import MlflowClient

DEFAULT_TRACKING_PORT = 5000


class MlflowHook(BaseHook):
    """Address, credentials and client of an MLflow server.

    Parameters
    ----------
    mlflow_conn_id
        A connection of type ``mlflow``: host (``https://mlflow.example`` or a bare name), port, and user
        name and password where the server asks for them.
    """

    conn_name_attr = "mlflow_conn_id"
    default_conn_name = "mlflow_default"
    conn_type = "mlflow"
    hook_name = "MLflow"

    def __init__(self, mlflow_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.mlflow_conn_id = mlflow_conn_id

    @cached_property
    def connection(self) -> "Connection":
        """The Airflow connection, fetched once."""
        return self.get_connection(self.mlflow_conn_id)

    @property
    def tracking_uri(self) -> str:
        """Address of the server, without credentials: it is logged and passed between tasks."""
        host = self.connection.host
        if not host:
            raise ValueError(
                f"connection {self.mlflow_conn_id!r} has no host; set it to the MLflow server's address"
            )
        address = urlsplit(host if "://" in host else f"{self.connection.schema or 'http'}://{host}")
        port = address.port or self.connection.port
        if port is None and address.scheme == "http":
            port = DEFAULT_TRACKING_PORT
        location = f"{address.hostname}:{port}" if port else f"{address.hostname}"
        return urlunsplit((address.scheme, location, address.path.rstrip("/"), "", ""))

    def sign_in(self) -> str:
        """Put the credentials into the environment, where MLflow reads them; return the tracking URI."""
        if self.connection.login:
            os.environ["MLFLOW_TRACKING_USERNAME"] = self.connection.login
            os.environ["MLFLOW_TRACKING_PASSWORD"] = self.connection.password or ""
        return self.tracking_uri

    def get_conn(self) -> "MlflowClient":
        """Return a client that is signed in."""
        from mlops_core.tracking import tracking_client

        return tracking_client(self.sign_in())

    def run_url(self, run_id: str, *, experiment_id: str) -> str:
        """Address of a run's page in MLflow's web UI."""
        return f"{self.tracking_uri}/#/experiments/{experiment_id}/runs/{run_id}"

    def test_connection(self) -> tuple[bool, str]:
        """Ask the server for one experiment, as the *Test* button of the connection form does."""
        try:
            found = self.get_conn().search_experiments(max_results=1)
        except Exception as error:  # noqa: BLE001  whatever went wrong is the answer
            return False, f"{type(error).__name__}: {error}"
        return (
            True,
            f"MLflow answered at {self.tracking_uri}; it has {'an experiment' if found else 'no experiment'}",
        )
