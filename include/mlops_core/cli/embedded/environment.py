"""The environment variables that make Airflow, MLflow and the model server one platform under one home."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from mlops_core.cli.embedded.credentials import USER, Secrets
from mlops_core.cli.embedded.home import Home
from mlops_core.cli.embedded.ports import HOST, Ports
from mlops_core.cli.gpu_pool import GPU_SLOTS, gpu_slots
from mlops_core.containers.gpus import visible_gpus
from mlops_core.errors import PlatformError

_MOST_PARALLEL_TASKS = 16


@dataclass(frozen=True)
class Project:
    """Where the DAG files, the plugins and the models' packages of one project lie."""

    root: Path
    dags_folder: Path
    plugins_folder: Path

    @classmethod
    def from_environment(cls) -> Self:
        """Return the project in the working folder.

        ``MLOPS_DAGS_FOLDER`` and ``MLOPS_PLUGINS_FOLDER`` move parts of it.

        Raises
        ------
        PlatformError
            If there is no folder of DAG files.
        """
        root = Path.cwd()
        dags = Path(os.environ.get("MLOPS_DAGS_FOLDER") or root / "dags").absolute()
        plugins = Path(os.environ.get("MLOPS_PLUGINS_FOLDER") or root / "plugins").absolute()
        if not dags.is_dir():
            raise PlatformError(
                f"no folder of DAG files at {dags}; "
                "run this in the project's folder, or set MLOPS_DAGS_FOLDER"
            )
        return cls(root=root, dags_folder=dags, plugins_folder=plugins)

    @property
    def import_paths(self) -> tuple[Path, ...]:
        """Folders that Python must search for the models' packages."""
        return tuple(path for path in (self.root / "include", self.plugins_folder) if path.is_dir())


def platform_environment(home: Home, *, ports: Ports, project: Project, secrets: Secrets) -> dict[str, str]:
    """Return the whole environment of every process of the platform.

    What makes the platform one (addresses, folders, keys) is fixed. How fast it turns, and what containers
    that fit see, are only defaults: a variable that is set already wins.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "MLOPS_PRELOAD"}
    return {
        **_pace(),
        **_training_settings(home, project),
        **inherited,
        **_no_proxy(inherited),
        **_import_path(project, inherited),
        **_library_settings(home, ports),
        **_airflow_settings(home, ports, project, secrets),
        GPU_SLOTS: str(gpu_slots(gpus=len(visible_gpus()))),
    }


def client_environment(home: Home, *, ports: Ports) -> dict[str, str]:
    """Return what a command needs in its own environment to use the library on this platform."""
    return {**_library_settings(home, ports), **_no_proxy(dict(os.environ))}


def _pace() -> dict[str, str]:
    """Short waits: the defaults suit a cluster, where a second between two tasks does not matter."""
    parallel_tasks = min(_MOST_PARALLEL_TASKS, max(2, 2 * (os.cpu_count() or 1)))
    return {
        # Candidates are fitted at the same time. Threads that wait by spinning take the cores from those that
        # work: two fits at once on 2 loaded cores took three minutes so, and 7 s with threads that sleep.
        "OMP_WAIT_POLICY": "passive",
        "AIRFLOW__CORE__PARALLELISM": str(parallel_tasks),
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        # A machine that trains a model may keep the API waiting longer than the default of 5 seconds.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        # A trigger whose task was ended asks Airflow why, and the first time Airflow loads its API for that.
        "AIRFLOW__TRIGGERER__ON_KILL_TIMEOUT": "300",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "2",
        # A browser that follows a log would otherwise keep the API server from ending for two minutes.
        "AIRFLOW__API__WORKER_TIMEOUT": "20",
        # Airflow's own retries do the work: they are seen in the UI and survive the process.
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    }


def _library_settings(home: Home, ports: Ports) -> dict[str, str]:
    return {
        "MLOPS_HOME": str(home.root),
        "MLOPS_STACK_NAME": str(home.root),
        "MLOPS_DATA_URI": str(home.root / "data"),
        "MLOPS_REPORTS_PATH": str(home.root / "reports"),
        "MLOPS_ARCHIVE_PATH": str(home.root / "archive"),
        "MLOPS_LEDGER_URL": f"sqlite:///{home.root / 'ledger.db'}",
        "MLOPS_SIGNING_KEY": str(home.signing_key),
        "MLOPS_TRUSTED_KEYS": str(home.trusted_keys),
        "MLOPS_TRACKING_URI": ports.mlflow_url,
        "MLOPS_MODEL_SERVER_URL": ports.model_server_url,
        "MLFLOW_TRACKING_URI": ports.mlflow_url,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Without it the server is fifteen processes that this platform never uses.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        # Threads that wait by spinning take the processors from each other where several tasks share them.
        "OMP_WAIT_POLICY": "passive",
        "GX_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "true",
    }


def _training_settings(home: Home, project: Project) -> dict[str, str]:
    """Let a container that fits a candidate see the tables, MLflow, and the code as it is now."""
    data = str(home.root / "data")
    mounts = [{"source": data, "target": data}]
    if (include := project.root / "include").is_dir():
        mounts.append({"source": str(include), "target": "/opt/airflow-mlops/include"})
    return {"MLOPS_TRAIN_NETWORK": "host", "MLOPS_TRAIN_MOUNTS": json.dumps(mounts)}


def _airflow_settings(home: Home, ports: Ports, project: Project, secrets: Secrets) -> dict[str, str]:
    mlflow_connection = {"conn_type": "mlflow", "host": f"http://{HOST}", "port": ports.mlflow_port}
    settings = {
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_FOLDER": str(project.dags_folder),
        "CORE__PLUGINS_FOLDER": str(project.plugins_folder),
        "CORE__FERNET_KEY": secrets.fernet_key.get_secret_value(),
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home.passwords_file),
        "CORE__EXECUTION_API_SERVER_URL": f"{ports.airflow_url}/execution/",
        # The one user is an administrator of a platform that only listens locally.
        "CORE__TEST_CONNECTION": "Enabled",
        "API__HOST": HOST,
        "API__PORT": str(ports.airflow_port),
        "API__BASE_URL": ports.airflow_url,
        "API__SECRET_KEY": secrets.api_secret_key.get_secret_value(),
        "API__INSTANCE_NAME": "MLOps",
        "API_AUTH__JWT_SECRET": secrets.jwt_secret.get_secret_value(),
        # Seconds that a writer waits for its turn: five components write, on a machine that may be busy.
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home.airflow / 'airflow.db'}?timeout=60",
        "LOGGING__BASE_LOG_FOLDER": str(home.airflow / "logs"),
        "DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home.airflow / "bundles"),
    }
    return {
        "AIRFLOW_HOME": str(home.airflow),
        "AIRFLOW_CONN_MLFLOW_DEFAULT": json.dumps(mlflow_connection),
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
    }


def _no_proxy(inherited: dict[str, str]) -> dict[str, str]:
    """Reach the local services directly, also where a proxy leads to the rest of the world."""
    hosts = [inherited.get("NO_PROXY") or inherited.get("no_proxy") or "", HOST, "localhost"]
    joined = ",".join(host for host in hosts if host)
    return {"NO_PROXY": joined, "no_proxy": joined}


def _import_path(project: Project, inherited: dict[str, str]) -> dict[str, str]:
    paths = [str(path) for path in project.import_paths]
    if inherited.get("PYTHONPATH"):
        paths.append(inherited["PYTHONPATH"])
    return {"PYTHONPATH": os.pathsep.join(paths)}
