"""A person's part in the story: approving a version by Airflow's API, in time and too late."""

from mlops_core.cli.airflow_api import DagRun
from mlops_core.cli.demo.stage import Stage
from mlops_core.policies import APPROVE

APPROVE_TASK = "approve"
_REASON = "the demo has read the evidence"


def reach_approval(stage: Stage, run: DagRun) -> bool:
    """Follow a training until it waits for a person; return False if it is over, or asks nobody."""
    return stage.conductor.until_waiting(run, APPROVE_TASK)


def approve(stage: Stage, run: DagRun) -> None:
    """Say yes to what the waiting task asks, naming the evidence that was read."""
    digest = stage.api.xcom(run, "evaluate")["digest"]
    stage.api.answer(run, APPROVE_TASK, option=APPROVE, fields={"reason": _REASON, "evidence": digest})


def approve_all(stage: Stage, run: DagRun) -> bool:
    """Say yes whenever a training asks, until it is over; return whether it has asked.

    A task that is ended between an answer and its record asks once more.
    """
    asked = False
    while reach_approval(stage, run):
        asked = True
        approve(stage, run)
        stage.conductor.until_resumed(run, APPROVE_TASK)
    return asked
