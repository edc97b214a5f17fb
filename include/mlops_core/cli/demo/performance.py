"""One performance of the demo: a clean platform, the story, the closing table, ``summary.json``."""

import os
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Console

from mlops_core.atomic import write_atomically
from mlops_core.cli import display
from mlops_core.cli.airflow_api import AirflowClient
from mlops_core.cli.demo import flights
from mlops_core.cli.demo.conductor import Conductor
from mlops_core.cli.demo.outcome import Outcome, Summary
from mlops_core.cli.demo.progress import Progress
from mlops_core.cli.demo.stage import Stage
from mlops_core.cli.demo.story import STEPS, Story
from mlops_core.cli.demo.table import closing_table
from mlops_core.cli.embedded.credentials import USER, read_password
from mlops_core.cli.embedded.environment import client_environment
from mlops_core.cli.embedded.home import Home
from mlops_core.cli.embedded.lifecycle import EmbeddedPlatform, Started
from mlops_core.errors import MlopsError
from mlops_core.settings import Settings


@dataclass
class Performance:
    """Plays the demo in one home and leaves the platform running."""

    home: Home
    console: Console
    _outcomes: list[Outcome] = field(default_factory=list, init=False)

    def play(self) -> Summary:
        """Start from a clean state, tell the story, show and store what happened.

        Raises
        ------
        StoryError
            If the story went otherwise than it must. What happened until then is stored as well.
        """
        self._clear()
        with display.startup(self.console) as watcher:
            started = EmbeddedPlatform(self.home, watcher=watcher).up(made_by="demo")
        self.console.print(f"platform healthy after {display.counted(started.seconds)}")
        began_at, began = datetime.now(UTC), time.monotonic()
        problem: str | None = None
        try:
            self._tell(started)
        except MlopsError as error:
            problem = str(error)
            raise
        finally:
            summary = Summary(
                model=flights.MODEL,
                began_at=began_at,
                platform_seconds=round(started.seconds, 1),
                story_seconds=round(time.monotonic() - began, 1),
                outcomes=tuple(self._outcomes),
                problem=problem,
            )
            write_atomically(self.home.summary_file, summary.model_dump_json(indent=2) + "\n")
            self._close(summary, started)
        return summary

    def _clear(self) -> None:
        """End what runs and remove what the last demo made; a person's own work is set aside, not deleted."""
        EmbeddedPlatform(self.home).down()
        marker = self.home.marker
        if marker is None:
            return
        if marker.made_by == "demo" or not self.home.holds_work():
            self.home.wipe()
        else:
            kept = self.home.set_aside()
            self.console.print(f"this home held a platform with data that no demo made; it is kept in {kept}")

    def _tell(self, started: Started) -> None:
        # The library reads these; the demo must see the same platform as Airflow's tasks do.
        os.environ.update(client_environment(self.home, ports=started.ports))
        title = f"{flights.MODEL}: one model through its whole life"
        with (
            AirflowClient(started.ports.airflow_url, user=USER, password=read_password(self.home)) as api,
            Progress(self.console, title=title, steps=STEPS) as progress,
        ):
            stage = self._stage(api, progress)
            Story(stage, progress, self._outcomes.append).tell()

    def _stage(self, api: AirflowClient, progress: Progress) -> Stage:
        return Stage(
            model=flights.MODEL,
            home=self.home,
            settings=Settings.from_environment(),
            api=api,
            conductor=Conductor(api, progress),
        )

    def _close(self, summary: Summary, started: Started) -> None:
        self.console.print(closing_table(summary))
        self.console.print(display.addresses(self.home, started.ports))
        self.console.print(f"summary: {self.home.summary_file}", soft_wrap=True)
