"""What the containers of the kill matrix do: count aloud, and leave a result that nobody else can have.

In the middle they wait until they are told to go on: however slow the machine is, what happens to their task
happens while they live.
"""

import json
import os
import sys
import time
from pathlib import Path

LINES = 20
LAST_OF_THE_FAILING = 4
LAST_UNTOLD = 12
TOLD = "told"
_LINE_SECONDS = 0.3
_WORK = Path("/mlops/work")


def main(ending: str) -> None:
    run = os.urandom(8).hex()
    checkpoints = Path(os.environ["MLOPS_CHECKPOINTS"])
    sys.stdout.write(f"container {run} finds {len(list(checkpoints.iterdir()))} checkpoints\n")
    (checkpoints / run).touch()
    for number in range(1, LINES + 1):
        sys.stdout.write(f"container {run} line {number}\n")
        time.sleep(_LINE_SECONDS)
        if number == LAST_OF_THE_FAILING:
            fail(ending)
        while number == LAST_UNTOLD and not (_WORK / TOLD).exists():
            time.sleep(_LINE_SECONDS)
    while ending == "never":
        time.sleep(_LINE_SECONDS)
    part = _WORK / "result.part"
    part.write_text(json.dumps({"run": run, "lines": LINES}))
    part.replace(_WORK / "result.json")


def fail(ending: str) -> None:
    if ending == "exit_code":
        sys.exit(3)
    held = []
    while ending == "out_of_memory":
        held.append(b"x" * 2**20)


if __name__ == "__main__":
    main(*sys.argv[1:])
