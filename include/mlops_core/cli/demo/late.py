"""A challenger waits for approval while production moves: the approval that comes then is void."""

from collections.abc import Iterator

from mlops_core.cli.airflow_api import DagRun
from mlops_core.cli.demo import approval, production, training
from mlops_core.cli.demo.outcome import Outcome
from mlops_core.cli.demo.stage import Stage
from mlops_core.errors import StoryError

VOID = "void"


def approve_too_late(stage: Stage, *, step: int, reason: str, seed: int) -> Iterator[Outcome]:
    """Train a challenger, roll back while it waits, approve it then, and see the approval refused.

    With one version there is nothing to roll back to, and with a gate that refuses nothing to approve: the
    story then goes as it must.

    Raises
    ------
    StoryError
        If the late approval put anything into production.
    """
    run = stage.api.trigger(stage.dag("train"), conf={"reason": reason, "seed": seed})
    waits = approval.reach_approval(stage, run)
    if not waits or not stage.can_roll_back():
        yield training.follow_training(stage, run, step=step, title="Retrain on request")
        yield production.roll_back(stage, step=step)
        return
    version = int(stage.api.xcom(run, "register")["version"])
    yield Outcome(
        step=step,
        title="Retrain on request",
        happened=f"version {version} passed its gates and waits for a person's approval",
        decision="waits",
        version=version,
    )
    yield production.roll_back(stage, step=step)
    yield _approve(stage, run, step=step, version=version)


def _approve(stage: Stage, run: DagRun, *, step: int, version: int) -> Outcome:
    champion = stage.version_in_production()
    approval.approve_all(stage, run)
    (ended,) = stage.conductor.finish([run])
    failed = [task.task_id for task in stage.conductor.failed_tasks(ended)]
    answering = stage.ask_model_server().version
    if failed != [approval.APPROVE_TASK] or answering != champion:
        raise StoryError(
            f"the approval of version {version} came after production had moved and must be void; "
            f"failed tasks: {', '.join(failed) or 'none'}; the model server answers with {answering}"
        )
    return Outcome(
        step=step,
        title="Approve it now",
        happened=f"production had moved since version {version} was judged, so the approval is void; "
        f"version {champion} stays",
        decision=VOID,
        version=champion,
    )
