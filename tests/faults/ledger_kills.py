"""Registrations and promotions killed with SIGKILL at random moments, against a real MLflow server.

After each kill the step is tried again, or its mirror reconciled. In the end there is no version twice and no
half transition, every alias is healed, and the audit trail is whole. Exit code 1 if not.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

_COMMITS_A_KILL = 2.5


def main() -> int:
    """Play until the kills are done, then judge."""
    chosen = _parse()
    console = Console(width=120, soft_wrap=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mlops-kills-") as name:
        folder = Path(name)
        _make_keys(folder)
        # After the variables, and before the first fork.
        from faults.ledger_rounds import Rounds
        from servers import MlflowServer

        server = MlflowServer(folder)
        server.start()
        try:
            rounds = Rounds(
                ledger_url=f"sqlite:///{folder / 'ledger.db'}", tracking_uri=server.uri, seed=chosen.seed
            )
            for tally in rounds.play(chosen.kills):
                if tally.versions % 20 == 0:
                    console.print(
                        f"{tally.kills} kills, {tally.commits} commits, {time.monotonic() - began:.0f} s"
                    )
            problems = [*rounds.problems(), *_too_few(rounds.tally.commits, kills=chosen.kills)]
        finally:
            server.stop()
    table = Table(title="The ledger under SIGKILL")
    table.add_column("what")
    table.add_column("how many", justify="right")
    for left, count in sorted(rounds.tally.left.items()):
        table.add_row(f"killed in {left} was made", str(count))
    for what, count in (
        ("kills", rounds.tally.kills),
        ("commits between them", rounds.tally.commits),
        ("versions registered and promoted", rounds.tally.versions),
        ("promotions left to reconcile, not tried again", rounds.tally.reconciled),
        ("of these with aliases to heal", rounds.tally.healed),
        ("problems", len(problems)),
    ):
        table.add_row(what, str(count))
    console.print(table)
    for problem in problems:
        console.print(problem, markup=False, highlight=False)
    console.print(f"{'bad' if problems else 'good'}, after {time.monotonic() - began:.0f} s")
    return int(bool(problems))


def _too_few(commits: int, *, kills: int) -> list[str]:
    """Kills between which little happens prove little."""
    wanted = _COMMITS_A_KILL * kills
    return [] if commits > wanted else [f"{commits} commits came between {kills} kills, not {wanted}"]


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=400, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the moments")
    return parser.parse_args()


def _make_keys(folder: Path) -> None:
    from mlops_core.signing.keys import generate_key_pair

    private, trusted = folder / "keys" / "signing.pem", folder / "keys" / "trusted"
    generate_key_pair(private, trusted)
    os.environ.update(MLOPS_SIGNING_KEY=str(private), MLOPS_TRUSTED_KEYS=str(trusted))
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


if __name__ == "__main__":
    # In the place of this folder, which holds no package: what the tests share.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    sys.exit(main())
