"""The embedded platform as a test's own: driven by its command line, on free ports, in its own folder."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from mlops_core.cli.airflow_api import AirflowClient
from mlops_core.cli.embedded.credentials import USER, read_password
from mlops_core.cli.embedded.home import Home
from mlops_core.cli.embedded.processes import family
from mlops_core.cli.embedded.record import PlatformRecord, read_record
from servers import free_port

PROJECT = Path(__file__).resolve().parents[1]
_COMMAND = Path(sys.executable).with_name("mlops")


def runs(process: psutil.Process) -> bool:
    """Whether a process does anything: one that has ended may stay in the list until somebody asks for it."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@dataclass(frozen=True)
class OwnPlatform:
    """A platform that a test brings up and down as a user does."""

    home: Home
    environment: dict[str, str]

    @classmethod
    def make(cls, folder: Path, *, dags: Path | None = None) -> "OwnPlatform":
        """Choose free ports and a home; nothing runs yet."""
        variables = {
            "MLOPS_HOME": str(folder / "home"),
            "MLOPS_AIRFLOW_PORT": str(free_port()),
            "MLOPS_MLFLOW_PORT": str(free_port()),
            "MLOPS_MODEL_SERVER_PORT": str(free_port()),
        }
        if dags is not None:
            variables["MLOPS_DAGS_FOLDER"] = str(dags)
        return cls(home=Home(folder / "home"), environment={**os.environ, **variables})

    def command(
        self, *arguments: str, timeout_s: float = 700, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `mlops` in the project's folder and return how it ended."""
        return subprocess.run(
            [str(_COMMAND), *arguments],
            cwd=PROJECT,
            env={**self.environment, "COLUMNS": "200", **variables},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    @property
    def record(self) -> PlatformRecord:
        """What was started."""
        record = read_record(self.home)
        assert record is not None, "nothing was started"
        return record

    def status(self) -> dict[str, Any]:
        """Return what `mlops status --json` says."""
        return dict(json.loads(self.command("status", "--json").stdout))

    def processes(self) -> set[psutil.Process]:
        """Return every process of the platform that runs now, children included."""
        return {process for recorded in self.record.processes.values() for process in family(recorded)}

    def api(self) -> AirflowClient:
        """Return a client of its Airflow, as the administrator."""
        return AirflowClient(self.record.ports.airflow_url, user=USER, password=read_password(self.home))
