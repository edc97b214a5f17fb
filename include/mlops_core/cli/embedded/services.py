"""The processes that make up the platform: how each is started, and how one sees that it works."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from mlops_core.cli.embedded.home import Home
from mlops_core.cli.embedded.ports import HOST, Ports

# -P keeps the working folder off Python's search path: with it, `include.mlops_core` would be importable as a
# second copy of the library.
_PYTHON = (sys.executable, "-P", "-m")

MIGRATION = (*_PYTHON, "airflow", "db", "migrate")
"""Makes or upgrades Airflow's database; runs to its end before Airflow's services start."""

API_SERVER = "airflow-api-server"


class Ending(IntEnum):
    """In which order services are ended: first what starts tasks, then what tasks talk to."""

    GIVES_TASKS = 0
    SERVES_TASKS = 1


@dataclass(frozen=True)
class Service:
    """One long-lived process."""

    name: str
    title: str
    command: tuple[str, ...]
    ending: Ending
    needs_database: bool = False
    url: str | None = None
    port_field: str | None = None
    health_path: str | None = None
    airflow_component: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


def services(home: Home, ports: Ports) -> tuple[Service, ...]:
    """Return every service of the platform, in the order in which they are started."""
    return (_mlflow(home, ports), _model_server(ports), *_airflow(ports))


def _mlflow(home: Home, ports: Ports) -> Service:
    return Service(
        name="mlflow",
        title="MLflow",
        command=(
            *_PYTHON,
            *("mlflow", "server", "--host", HOST, "--port", str(ports.mlflow_port), "--workers", "1"),
            *("--backend-store-uri", f"sqlite:///{home.mlflow / 'mlflow.db'}"),
            *("--artifacts-destination", str(home.mlflow / "artifacts")),
        ),
        ending=Ending.SERVES_TASKS,
        url=ports.mlflow_url,
        port_field="mlflow_port",
        health_path="/health",
    )


def _model_server(ports: Ports) -> Service:
    return Service(
        name="model-server",
        title="Model server",
        command=(*_PYTHON, "mlops_core.serving", "--host", HOST, "--port", str(ports.model_server_port)),
        ending=Ending.SERVES_TASKS,
        url=ports.model_server_url,
        port_field="model_server_port",
        health_path="/health",
    )


def _airflow(ports: Ports) -> tuple[Service, ...]:
    api_server = Service(
        name=API_SERVER,
        title="Airflow API and UI",
        command=(*_PYTHON, "airflow", "api-server"),
        ending=Ending.SERVES_TASKS,
        needs_database=True,
        url=ports.airflow_url,
        port_field="airflow_port",
        health_path="/api/v2/monitor/health",
    )
    scheduler = _worker(
        "scheduler",
        title="Airflow scheduler",
        # The API server reads logs from the same disk; the log server would listen on every interface.
        arguments=("--skip-serve-logs",),
        variables={"MLOPS_PRELOAD": "1"},
    )
    dag_processor = _worker("dag-processor", title="Airflow DAG processor")
    triggerer = _worker(
        "triggerer",
        title="Airflow triggerer",
        arguments=("--skip-serve-logs",),
        ending=Ending.SERVES_TASKS,
    )
    return (scheduler, api_server, dag_processor, triggerer)


def _worker(
    command: str,
    *,
    title: str,
    arguments: tuple[str, ...] = (),
    variables: Mapping[str, str] | None = None,
    ending: Ending = Ending.GIVES_TASKS,
) -> Service:
    return Service(
        name=f"airflow-{command}",
        title=title,
        command=(*_PYTHON, "airflow", command, *arguments),
        ending=ending,
        needs_database=True,
        airflow_component=command.replace("-", "_"),
        variables=variables or {},
    )
