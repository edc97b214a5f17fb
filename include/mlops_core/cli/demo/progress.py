"""The demo while it runs: steps, DAG runs and their tasks, and how long it has taken."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

_MARKS = {
    "success": ("✓", "green"),
    "failed": ("✗", "red"),
    "upstream_failed": ("✗", "dim red"),
    "skipped": ("»", "dim"),
    "running": ("●", "yellow"),
    "up_for_retry": ("↻", "yellow"),
    "queued": ("◌", "yellow"),
    "awaiting_input": ("?", "cyan"),
}
_WAITING = ("○", "dim")


@dataclass(frozen=True)
class RunView:
    """One DAG run as it is shown: its tasks with their states, in order."""

    label: str
    state: str
    tasks: tuple[tuple[str, str], ...] = ()


class Progress:
    """A live picture in a terminal; elsewhere a line whenever a step or a run begins or ends."""

    def __init__(self, console: Console, *, title: str, steps: Sequence[str]) -> None:
        self._console = console
        self._title = title
        self._steps = tuple(steps)
        self._seconds: dict[int, float] = {}
        self._current = 0
        self._runs: dict[str, RunView] = {}
        self._began = self._step_began = time.monotonic()
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(console=console, get_renderable=self._picture, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def begin(self, step: int) -> None:
        """Show a step (numbered from 1) as the current one."""
        self._current = step
        self._step_began = time.monotonic()
        self._runs = {}
        self._say(f"{step}. {self._steps[step - 1]}")

    def end(self) -> float:
        """Show the current step as done; return its seconds."""
        self._seconds[self._current] = time.monotonic() - self._step_began
        self._say(f"   done after {self._seconds[self._current]:.1f} s")
        return self._seconds[self._current]

    def show(self, run: RunView) -> None:
        """Show a run of the current step, replacing its former state."""
        former = self._runs.get(run.label)
        self._runs[run.label] = run
        if former is None or former.state != run.state:
            self._say(f"   {run.label}: {run.state}")

    def _say(self, line: str) -> None:
        if not self._console.is_terminal:
            self._console.print(f"{time.monotonic() - self._began:6.1f} s  {line}", highlight=False)

    def _picture(self) -> RenderableType:
        steps = Table.grid(padding=(0, 1))
        for number, title in enumerate(self._steps, start=1):
            steps.add_row(*self._step_row(number, title))
            if number == self._current and number not in self._seconds:
                for run in self._runs.values():
                    steps.add_row("", "", _run_line(run), "")
        header = Text.assemble((self._title, "bold"), f"   {_clock(time.monotonic() - self._began)}")
        return Group(header, Text(), steps)

    def _step_row(self, number: int, title: str) -> tuple[RenderableType, ...]:
        if number in self._seconds:
            seconds = f"{self._seconds[number]:.1f} s"
            return Text("✓", "green"), f"{number}", Text(title), Text(seconds, "dim", justify="right")
        if number == self._current:
            seconds = f"{time.monotonic() - self._step_began:.0f} s"
            return self._spinner, f"{number}", Text(title, "bold"), Text(seconds, "cyan", justify="right")
        return Text("○", "dim"), f"{number}", Text(title, "dim"), ""


def _run_line(run: RunView) -> Text:
    mark, colour = _MARKS.get(run.state, _WAITING)
    line = Text.assemble((f"{mark} ", colour), run.label)
    if run.state != "success":
        for name, state in run.tasks:
            mark, colour = _MARKS.get(state, _WAITING)
            line.append(f"  {name} ", "dim")
            line.append(mark, colour)
    return line


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02}"
