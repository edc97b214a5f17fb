"""Run as a program: forks one child a command, and kills the child with SIGKILL after its n-th effect.

A command is one JSON line on stdin, the child's exit code one line on stdout. This process imports and opens
nothing else, so each child starts at once and as if it were new.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from mlflow import MlflowClient

from mlops_core.evaluation.report import EvaluationReport
from mlops_core.registry import promotion
from mlops_core.registry.database import Database
from mlops_core.registry.ledger import Ledger, VersionRecord
from mlops_core.registry.register import register

EFFECTS = (
    (MlflowClient, "create_registered_model"),
    (MlflowClient, "create_model_version"),
    (MlflowClient, "delete_model_version"),
    (MlflowClient, "set_model_version_tag"),
    (MlflowClient, "set_registered_model_alias"),
    (MlflowClient, "delete_registered_model_alias"),
    (Database, "write"),
)


def kill_after(effects: int) -> None:
    """Have this process killed as soon as its n-th effect is done."""
    done = 0

    def wrapped(effect: Callable[..., Any]) -> Callable[..., Any]:
        def perform(*args: Any, **kwargs: Any) -> Any:
            nonlocal done
            result = effect(*args, **kwargs)
            done += 1
            if done == effects:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return perform

    for owner, name in EFFECTS:
        setattr(owner, name, wrapped(getattr(owner, name)))


def lose_a_reply() -> None:
    """Let the first creation of a version happen twice, as when the client repeats a POST."""
    create = MlflowClient.create_model_version

    def create_twice(self: MlflowClient, *args: Any, **kwargs: Any) -> Any:
        create(self, *args, **kwargs)
        return create(self, *args, **kwargs)

    MlflowClient.create_model_version = create_twice


def perform(command: dict[str, Any]) -> None:
    kill_after(command["crash_after"])
    if command["lost_reply"]:
        lose_a_reply()
    ledger = Ledger(command["ledger_url"])
    common = {
        "ledger": ledger,
        "tracking_uri": command["tracking_uri"],
        "operation_key": command["operation_key"],
        "actor": "child",
    }
    match command["do"]:
        case "register":
            register(EvaluationReport.model_validate(command["report"]), **common)
        case "promote":
            record = VersionRecord.model_validate(command["record"])
            report = EvaluationReport.model_validate(command["report"])
            promotion.promote(record, report=report, reason="", **common)
        case "roll_back":
            promotion.roll_back(command["model"], reason="", **common)


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                perform(json.loads(line))
                code = 0
            except BaseException:  # noqa: BLE001  whatever it is, the test shall see it
                traceback.print_exc()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
