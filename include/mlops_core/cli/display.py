"""How the platform looks in a terminal."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mlops_core.cli.embedded.credentials import USER
from mlops_core.cli.embedded.health import ServiceStatus, State
from mlops_core.cli.embedded.home import Home
from mlops_core.cli.embedded.ports import Ports
from mlops_core.cli.embedded.startup import Watcher

_COLOURS = {State.HEALTHY: "green", State.STARTING: "yellow", State.ENDED: "red", State.ABSENT: "red"}


@contextmanager
def startup(console: Console) -> Iterator[Watcher]:
    """Show services as they become healthy; a line each where there is no terminal."""
    began = time.monotonic()
    healthy: set[str] = set()
    # Without a terminal Live would print its last picture only; lines say more in a log.
    with Live(console=console, refresh_per_second=8, transient=True) as live:

        def watch(statuses: Sequence[ServiceStatus]) -> None:
            if console.is_terminal:
                live.update(_startup_picture(statuses, seconds=time.monotonic() - began))
                return
            for status in statuses:
                if status.state is State.HEALTHY and status.service.name not in healthy:
                    healthy.add(status.service.name)
                    console.print(f"{status.service.title} is healthy after {time.monotonic() - began:.1f} s")

        if console.is_terminal:
            live.update(Text("preparing Airflow's database, starting MLflow and the model server"))
        yield watch


def _startup_picture(statuses: Sequence[ServiceStatus], *, seconds: float) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for status in statuses:
        table.add_row(_mark(status.state), status.service.title, Text(status.state, _COLOURS[status.state]))
    table.add_row("", f"{seconds:.0f} s", "")
    return table


def _mark(state: State) -> Text:
    return Text("●" if state is State.HEALTHY else "○", _COLOURS[state])


def addresses(home: Home, ports: Ports) -> Panel:
    """Return where to look, as whom, and where the password is."""
    table = Table.grid(padding=(0, 2))
    table.add_row("Airflow", ports.airflow_url, f"user [bold]{USER}[/], password in {home.passwords_file}")
    table.add_row("MLflow", ports.mlflow_url, "experiments, models, artifacts")
    table.add_row("Models", ports.model_server_url, "POST /models/<name>/predict; what is served: /models")
    table.add_row("", "", "end it with: mlops down")
    return Panel(table, title="MLOps on this machine", border_style="cyan", expand=False)


def status_table(statuses: Sequence[ServiceStatus]) -> Table:
    """Return the services, one a row."""
    table = Table(box=None, header_style="bold")
    for header in ("service", "state", "pid", "up", "address"):
        table.add_column(header, justify="right" if header in {"pid", "up"} else "left")
    for status in statuses:
        table.add_row(
            status.service.title,
            Text(status.state, _COLOURS[status.state]),
            "" if status.pid is None else str(status.pid),
            "" if status.seconds is None else _duration(status.seconds),
            status.service.url or "",
        )
    return table


def status_document(home: Home, statuses: Sequence[ServiceStatus]) -> dict[str, Any]:
    """Return the same as ``status_table``, for scripts."""
    return {
        "home": str(home.root),
        "healthy": bool(statuses) and all(status.state is State.HEALTHY for status in statuses),
        "services": [
            {
                "name": status.service.name,
                "state": status.state.value,
                "pid": status.pid,
                "address": status.service.url,
            }
            for status in statuses
        ],
    }


def status_code(statuses: Sequence[ServiceStatus], *, not_running: int, unhealthy: int) -> int:
    """Return the exit code that says how the platform is."""
    if not any(status.pid is not None for status in statuses):
        return not_running
    return 0 if all(status.state is State.HEALTHY for status in statuses) else unhealthy


def counted(seconds: float) -> str:
    """Return seconds as a person writes them."""
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds) // 60} min {int(seconds) % 60} s"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
