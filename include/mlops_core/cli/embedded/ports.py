"""The three local ports: which they are, whether they are free, and who holds one that is not."""

import socket
from typing import Self

import psutil
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from mlops_core.errors import PlatformError

HOST = "127.0.0.1"
"""Everything listens here and nowhere else."""


class Ports(BaseSettings):
    """Ports on the local interface, each from its ``MLOPS_*`` variable."""

    model_config = SettingsConfigDict(env_prefix="MLOPS_", frozen=True, extra="ignore")

    airflow_port: int = Field(default=8080, ge=1, le=65535)
    mlflow_port: int = Field(default=5000, ge=1, le=65535)
    model_server_port: int = Field(default=8000, ge=1, le=65535)

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment now.

        Raises
        ------
        PlatformError
            If a variable is no port, or two name the same one.
        """
        try:
            ports = cls()
        except ValidationError as error:
            problem = error.errors()[0]
            raise PlatformError(
                f"{variable(str(problem['loc'][0]))}={problem['input']!r} is no port; "
                "give a number from 1 to 65535"
            ) from error
        numbers = list(ports.model_dump().values())
        for field, port in ports.model_dump().items():
            if numbers.count(port) > 1:
                raise PlatformError(
                    f"{variable(field)}={port} is named twice; give each service its own port"
                )
        return ports

    @property
    def airflow_url(self) -> str:
        """Address of Airflow's web UI and API."""
        return f"http://{HOST}:{self.airflow_port}"

    @property
    def mlflow_url(self) -> str:
        """Address of the MLflow server."""
        return f"http://{HOST}:{self.mlflow_port}"

    @property
    def model_server_url(self) -> str:
        """Address of the model server."""
        return f"http://{HOST}:{self.model_server_port}"


def variable(field: str) -> str:
    """Return the environment variable that sets a field of ``Ports``."""
    return f"MLOPS_{field.upper()}"


def require_free(port: int, *, setting: str) -> None:
    """Check that a service can listen on the port.

    Raises
    ------
    PlatformError
        If something listens there already; it names the holder and a free port instead.
    """
    if is_free(port):
        return
    raise PlatformError(
        f"port {port} is taken by {_holder(port)}; "
        f"end that, or choose another port: {setting}={_next_free(port)}"
    )


def is_free(port: int) -> bool:
    """Tell whether a service could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((HOST, port))
            candidate.listen(1)
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    """Name the process that listens on the port, as far as this user may see it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        connections = []
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr or connection.pid is None:
            continue
        if connection.laddr.port == port:
            try:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            except psutil.Error:
                break
    return "a process of another user"


def _next_free(port: int) -> int:
    candidate: int
    for candidate in (*range(port + 1, min(port + 200, 65536)), *range(49152, 65536)):
        if is_free(candidate):
            return candidate
    raise PlatformError("no local port is free")
