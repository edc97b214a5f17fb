"""Plays rows of the kill matrix and shows them."""

import traceback
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from rich.table import Table

from faults.injections import inject
from faults.plays import Play, Seen
from faults.scenarios import Mode, Scenario
from faults.stage import Stage
from faults.verdicts import problems

AT_ONCE = 3
_NO_COMMAND = "give --restart-engine COMMAND"


@dataclass(frozen=True)
class Row:
    """One line of the matrix; ``seen`` is None where it was not played to its end."""

    scenario: Scenario
    mode: Mode
    seen: Seen | None
    problems: tuple[str, ...] = ()
    note: str = ""

    @property
    def verdict(self) -> str:
        """The word of it."""
        return "BAD" if self.problems else "good" if self.seen else "not run"


def play_rows(stage: Stage, scenarios: Iterable[Scenario]) -> Iterator[Row]:
    """Play scenarios; those that harm no other task are played several at once, the others one by one."""
    chosen = []
    for scenario in scenarios:
        if scenario.name == "engine_restarted" and stage.restart_engine is None:
            yield from (Row(scenario, mode, None, note=_NO_COMMAND) for mode in scenario.modes)
        else:
            chosen.append(scenario)
    quiet = [(scenario, (mode,)) for scenario in chosen if not scenario.alone for mode in scenario.modes]
    stage.airflow.unpause(*(scenario.dag_id(mode) for scenario in chosen for mode in scenario.modes))
    with ThreadPoolExecutor(AT_ONCE) as players:
        futures = [players.submit(_play, stage, scenario, modes) for scenario, modes in quiet]
        for future in as_completed(futures):
            yield from future.result()
    for scenario in chosen:
        if scenario.alone:
            yield from _play(stage, scenario, scenario.modes)


def _play(stage: Stage, scenario: Scenario, modes: Sequence[Mode]) -> list[Row]:
    plays: list[Play] = []
    try:
        plays.extend(Play.begin(stage, scenario, mode) for mode in modes)
        inject(stage, plays)
        seen = [play.see(stage) for play in plays]
    except Exception as error:  # noqa: BLE001  a row that breaks is a bad one, and the others go on
        traceback.print_exc()
        return [Row(scenario, mode, None, (f"{type(error).__name__}: {error}",)) for mode in modes]
    finally:
        # What a bad row leaves must not hurt the next ones, nor the machine.
        for play in plays:
            stage.watch.remove_all(play.run.run_id)
    return [
        Row(scenario, play.mode, what, problems(play, what)) for play, what in zip(plays, seen, strict=True)
    ]


def table_of(rows: Iterable[Row]) -> Table:
    """Return the matrix as it is read."""
    table = Table(title="Kill matrix", show_lines=False)
    for title in ("verdict", "what dies", "mode"):
        table.add_column(title)
    for title in ("alive", "runs", "tries", "left", "resumed", "again", "seconds"):
        table.add_column(title, justify="right")
    for title in ("task", "errors named", "problems"):
        table.add_column(title)
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: Row) -> tuple[str, ...]:
    seen, head = row.seen, (row.verdict, row.scenario.title, row.mode)
    if seen is None:
        return (*head, *[""] * 9, "; ".join(row.problems) or row.note)
    left = len(seen.containers_left) + len(seen.volumes_left)
    numbers = (seen.most_alive, seen.runs, seen.tries, left, seen.checkpoints, seen.repeated)
    counted = ["" if number is None else str(number) for number in numbers]
    return (
        *head,
        *counted,
        f"{seen.seconds:.1f}",
        seen.state,
        ", ".join(seen.errors),
        "; ".join(row.problems),
    )
