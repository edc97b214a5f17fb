"""How the stack looks in a terminal."""

from collections.abc import Sequence
from typing import Any

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mlops_core.cli.embedded.credentials import USER
from mlops_core.cli.stack.configuration import SIGN_IN_VARIABLE, StackFiles
from mlops_core.cli.stack.lifecycle import Container


def addresses(files: StackFiles) -> Panel:
    """Return where to look, as whom, and where the password is."""
    ports = files.ports()
    table = Table.grid(padding=(0, 2))
    password = f"{SIGN_IN_VARIABLE} in {files.variables_file}"
    table.add_row("Airflow", ports.airflow_url, f"user [bold]{USER}[/], password: {password}")
    table.add_row("MLflow", ports.mlflow_url, "experiments, models, artifacts")
    table.add_row("Models", ports.model_server_url, "POST /models/<name>/predict; what is served: /models")
    table.add_row("", "", "end it with: mlops stack down")
    return Panel(table, title=f"{files.name}, in containers", border_style="cyan", expand=False)


def status_table(containers: Sequence[Container]) -> Table:
    """Return the services, one a row."""
    table = Table(box=None, header_style="bold")
    for header in ("service", "state", "health"):
        table.add_column(header)
    for container in containers:
        colour = "green" if container.is_healthy else "red"
        state = "done" if container.is_healthy and not container.health else container.state
        table.add_row(container.service, Text(state, colour), Text(container.health, colour))
    return table


def status_document(files: StackFiles, containers: Sequence[Container]) -> dict[str, Any]:
    """Return the same as ``status_table``, for scripts."""
    return {
        "name": files.name,
        "healthy": bool(containers) and all(container.is_healthy for container in containers),
        "services": [
            {"name": container.service, "state": container.state, "health": container.health}
            for container in containers
        ],
    }
