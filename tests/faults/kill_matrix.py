"""The kill matrix: everything around a container dies in turn, and the task ends as it must all the same.

Plays every row on a platform of its own, with a real scheduler and the real Docker engine, and prints its
verdict: containers alive at once, what is left, the result, the error that the log names, how often it ran.
Exit code 1 if a row is bad.
"""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from faults.matrix import Row

_WIDTH = 200
_LOG_CHARACTERS = 6000


def main() -> int:
    """Play the matrix."""
    from docker_engine import provide_python_image
    from faults.matrix import Row, play_rows, table_of
    from faults.scenarios import SCENARIOS
    from faults.stage import open_stage

    chosen = _parse([scenario.name for scenario in SCENARIOS])
    console = Console(width=_WIDTH, soft_wrap=True)
    began = time.monotonic()
    engine = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    provide_python_image(engine)
    rows: list[Row] = []
    with open_stage(engine, restart_engine=chosen.restart_engine) as stage:
        console.print(f"the platform is up after {time.monotonic() - began:.0f} s")
        for row in play_rows(stage, [scenario for scenario in SCENARIOS if scenario.name in chosen.only]):
            rows.append(row)
            _tell(console, row, folder=chosen.logs)
        if chosen.logs is not None:
            shutil.copytree(stage.platform.home.logs, chosen.logs / "services", dirs_exist_ok=True)
    console.print(table_of(rows))
    bad = [row for row in rows if row.problems]
    console.print(f"{len(rows)} rows in {time.monotonic() - began:.0f} s, {len(bad)} bad")
    # Once more at the end, where whoever sees only the last lines looks.
    for row in bad:
        console.print(f"BAD  {row.scenario.title} ({row.mode}): {'; '.join(row.problems)}")
    return int(bool(bad))


def _parse(names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument(
        "--restart-engine",
        default=os.environ.get("MLOPS_RESTART_ENGINE"),
        metavar="COMMAND",
        help="restarts the Docker engine; without it the rows that need it are not played",
    )
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="where to keep the logs")
    return parser.parse_args()


def _tell(console: Console, row: "Row", *, folder: Path | None) -> None:
    console.print(f"{row.verdict:>7}  {row.scenario.title} ({row.mode})  {'; '.join(row.problems)}")
    for number, log in enumerate(row.seen.logs if row.seen else (), 1):
        if row.problems:
            console.print(f"--- try {number}\n{log[-_LOG_CHARACTERS:]}", markup=False, highlight=False)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{row.scenario.name}.{row.mode}.{number}.log").write_text(log)


if __name__ == "__main__":
    # In the place of this folder, which holds no package: what the tests share.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    sys.exit(main())
