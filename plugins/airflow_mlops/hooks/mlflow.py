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
        A connection of type ``mlflow``: host (``https://mlflow.example`` or a bare name), port, user name and
        password where the server asks for them, and in the extra field ``ui_url`` where browsers find the
        server, if that is elsewhere.
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

    @property
    def ui_url(self) -> str:
        """Where a browser finds MLflow: the extra field ``ui_url``, or the server's own address.

        Raises
        ------
        ValueError
            If the field is no address for a link.
        """
        said = str(self.connection.extra_dejson.get("ui_url") or "")
        if not said:
            return self.tracking_uri
        address = urlsplit(said)
        if address.scheme not in {"http", "https"} or not address.hostname or "@" in address.netloc:
            # What stands before an @ may be a password.
            shown = said.rpartition("@")[2]
            raise ValueError(
                f"the ui_url of connection {self.mlflow_conn_id!r} is no address for a link: {shown!r}; set "
                "it to http:// or https:// with a host name, without credentials, or leave it empty"
            )
        return urlunsplit((address.scheme, address.netloc, address.path.rstrip("/"), "", ""))

    @property
    def link_address(self) -> str:
        """Where links lead: ``ui_url``, or the server's own address: a wrong link costs no task."""
        try:
            return self.ui_url
        except ValueError as error:
            self.log.warning("links lead to MLflow's own address: %s", error)
            return self.tracking_uri

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
        return f"{self.link_address}/#/experiments/{experiment_id}/runs/{run_id}"

    def test_connection(self) -> tuple[bool, str]:
        """Ask the server for one experiment, as the *Test* button of the connection form does."""
        try:
            found = self.get_conn().search_experiments(max_results=1)
            shown = self.ui_url
        except Exception as error:  # noqa: BLE001  whatever went wrong is the answer
            return False, f"{type(error).__name__}: {error}"
        has = "an experiment" if found else "no experiment"
        return True, f"MLflow answered at {self.tracking_uri}; it has {has}; links lead to {shown}"
