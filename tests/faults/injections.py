"""How things go wrong: what is done to a task, or to what it stands on, while its container works."""

import subprocess
from collections.abc import Callable, Mapping, Sequence

from faults.plays import Play
from faults.stage import Stage
from faults.work import LAST_UNTOLD
from following import wait_until

Injection = Callable[[Stage, Sequence[Play]], None]

_EARLY_LINE = 4
_LATER_LINE = LAST_UNTOLD + 4
_RESTARTED_WITHIN_SECONDS = 240


def _kill_task(stage: Stage, plays: Sequence[Play]) -> None:
    for play in plays:
        play.wait_for_note(stage, line=LAST_UNTOLD)
        stage.task_process(play.run.dag_id).kill()
        play.wait_for_adoption(stage)


def _kill_worker(stage: Stage, plays: Sequence[Play]) -> None:
    for play in plays:
        stage.worker_process(play.run.dag_id).kill()
        play.wait_for_adoption(stage)


def _end_worker(stage: Stage, plays: Sequence[Play]) -> None:
    for play in plays:
        stage.worker_process(play.run.dag_id).terminate()
        play.wait_for_adoption(stage)


def _mark_failed(stage: Stage, plays: Sequence[Play]) -> None:
    for play in plays:
        stage.watch.hold(play.run.run_id)
        stage.airflow.mark_failed(play.run)


def _clear(stage: Stage, plays: Sequence[Play]) -> None:
    for play in plays:
        stage.watch.hold(play.run.run_id)
        stage.airflow.clear(play.run)


def _clear_unnoticed(stage: Stage, plays: Sequence[Play]) -> None:
    with stage.service_stopped("airflow-triggerer"):
        for play in plays:
            stage.watch.hold(play.run.run_id)
            stage.airflow.clear(play.run)
            play.wait_for_state(stage, "deferred", try_number=2)


def _lose_connection(stage: Stage, plays: Sequence[Play]) -> None:
    with stage.proxy.away():
        for play in plays:
            stage.watch.tell(play.run.run_id)
            play.wait_for_container(stage, line=_LATER_LINE)


def _kill_containers(stage: Stage, plays: Sequence[Play]) -> None:
    with stage.proxy.away():
        for play in plays:
            stage.watch.kill(play.run.run_id)


def _kill_triggerer(stage: Stage, plays: Sequence[Play]) -> None:  # noqa: ARG001
    stage.kill_service("airflow-triggerer", with_children=True)
    stage.heal()


def _stop_scheduler(stage: Stage, plays: Sequence[Play]) -> None:
    # It waits for the tasks that it runs, and they for their containers.
    with stage.service_ending("airflow-scheduler"):
        for play in plays:
            stage.watch.tell(play.run.run_id)
    stage.heal()


def _kill_scheduler(stage: Stage, plays: Sequence[Play]) -> None:  # noqa: ARG001
    stage.kill_service("airflow-scheduler", with_children=False)
    stage.heal()


def _lose_machine(stage: Stage, plays: Sequence[Play]) -> None:  # noqa: ARG001
    stage.kill_service("airflow-scheduler", with_children=True)
    stage.heal()


def _restart_engine(stage: Stage, plays: Sequence[Play]) -> None:  # noqa: ARG001
    assert stage.restart_engine is not None
    subprocess.run(stage.restart_engine, shell=True, check=True, timeout=_RESTARTED_WITHIN_SECONDS)  # noqa: S602  given by who runs this
    wait_until(stage.watch.answers, "the engine answers")


_INJECTIONS: Mapping[str, Injection] = {
    "task_killed": _kill_task,
    "worker_killed": _kill_worker,
    "worker_ended": _end_worker,
    "marked_failed": _mark_failed,
    "cleared": _clear,
    "cleared_unnoticed": _clear_unnoticed,
    "connection_lost": _lose_connection,
    "container_killed": _kill_containers,
    "triggerer_killed": _kill_triggerer,
    "scheduler_stopped": _stop_scheduler,
    "scheduler_killed": _kill_scheduler,
    "machine_lost": _lose_machine,
    "engine_restarted": _restart_engine,
}
"""By the scenario's name; a scenario without one brings its own end."""


def inject(stage: Stage, plays: Sequence[Play]) -> None:
    """Do to the plays of one scenario what it says, once all of them are in the middle of their work.

    Their containers stay there: ``Play.see`` tells them to go on, those excepted that a person ends.
    """
    injection = _INJECTIONS.get(plays[0].scenario.name)
    if injection is None:
        return
    for play in plays:
        play.wait_for_log(stage, line=_EARLY_LINE)
    injection(stage, plays)
