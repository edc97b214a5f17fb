"""The stack of docker-compose.yaml as a test's own: driven by its command line, on free ports."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops_core.cli.airflow_api import AirflowClient
from mlops_core.cli.embedded.credentials import USER
from mlops_core.cli.stack.configuration import SIGN_IN_VARIABLE, StackFiles
from servers import free_port

PROJECT = Path(__file__).resolve().parents[1]
_COMMAND = Path(sys.executable).with_name("mlops")


@dataclass(frozen=True)
class OwnStack:
    """A stack that a test brings up and down as a user does."""

    files: StackFiles
    environment: dict[str, str]

    @classmethod
    def make(cls, name: str) -> "OwnStack":
        """Choose free ports; nothing runs yet."""
        variables = {
            "MLOPS_STACK_NAME": name,
            "MLOPS_AIRFLOW_PORT": str(free_port()),
            "MLOPS_MLFLOW_PORT": str(free_port()),
            "MLOPS_MODEL_SERVER_PORT": str(free_port()),
        }
        return cls(files=StackFiles(name=name, folder=PROJECT), environment={**os.environ, **variables})

    def command(self, *arguments: str, timeout_s: float = 700) -> subprocess.CompletedProcess[str]:
        """Run `mlops stack` in the project's folder and return how it ended."""
        return subprocess.run(
            [str(_COMMAND), "stack", *arguments],
            cwd=PROJECT,
            env={**self.environment, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    @property
    def password(self) -> str:
        """The administrator's."""
        return self.files.variables()[SIGN_IN_VARIABLE]

    def api(self) -> AirflowClient:
        """Return a client of its Airflow, as the administrator."""
        return AirflowClient(self.files.ports().airflow_url, user=USER, password=self.password)

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return what the engine knows of each service's container."""
        found = docker("ps", "--all", "--quiet", "--filter", self.filter).split()
        inspected = json.loads(docker("inspect", *found)) if found else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in inspected}

    def left(self) -> list[str]:
        """Return everything of the stack that the engine still has, by its label or by its name."""
        return [
            *docker("ps", "--all", "--quiet", "--filter", self.filter).split(),
            *docker("ps", "--all", "--quiet", "--filter", f"name={self.files.name}").split(),
            *docker("volume", "ls", "--quiet", "--filter", f"name={self.files.name}").split(),
            *docker("network", "ls", "--quiet", "--filter", f"name={self.files.name}").split(),
        ]

    @property
    def filter(self) -> str:
        """What Docker's lists are filtered by."""
        return f"label=com.docker.compose.project={self.files.name}"


def docker(*arguments: str) -> str:
    """Run the Docker client and return what it printed."""
    ended = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
