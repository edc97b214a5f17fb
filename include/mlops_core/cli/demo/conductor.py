"""Start DAG runs, follow them to their end, and say what went wrong with the log of the task that failed."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mlops_core.cli.airflow_api import AirflowClient, DagRun, TaskInstance
from mlops_core.cli.demo.progress import Progress, RunView
from mlops_core.errors import StoryError

_POLL_S = 0.4
_DAGS_WITHIN_S = 90.0
_APPEARS_WITHIN_S = 60.0
_OVER_WITHIN_S = 600.0

_AWAITING_INPUT = "awaiting_input"
# An answer within the first second overtakes the executor's news that the asking process has ended, and
# Airflow then ends the answering one: it is tried again, and that takes longer than to wait.
_SETTLED_S = 3.0

_TASK_ORDER = (
    *("load", "validate", "publish", "score", "watch", "decide", "request_retraining"),
    *("plan", "train", "evaluate", "gate", "register", "approve", "roll_back", "promote", "deploy", "verify"),
)


@dataclass(frozen=True)
class Conductor:
    """Drives DAG runs through the API while the progress shows them."""

    api: AirflowClient
    progress: Progress

    def wait_for_dags(self, dag_ids: Collection[str]) -> None:
        """Return when Airflow knows all these DAGs.

        Raises
        ------
        StoryError
            If one does not appear; it shows why DAG files did not import.
        """
        deadline = time.monotonic() + _DAGS_WITHIN_S
        while missing := set(dag_ids) - set(self.api.dag_ids()):
            problems = self.api.import_errors()
            if problems or time.monotonic() > deadline:
                reasons = (
                    "\n".join(problems) or "no DAG file failed to import; is the folder of DAG files right?"
                )
                raise StoryError(f"Airflow does not know the DAGs {', '.join(sorted(missing))}:\n{reasons}")
            time.sleep(_POLL_S)

    def finish(self, runs: Sequence[DagRun]) -> tuple[DagRun, ...]:
        """Return the runs of one DAG as they ended, in the same order."""
        deadline = time.monotonic() + _OVER_WITHIN_S
        pending = {run.run_id: run for run in runs}
        ended: dict[str, DagRun] = {}
        while pending:
            for run_id, former in list(pending.items()):
                run = self.api.run(former.dag_id, run_id)
                pending[run_id] = run
                tasks = () if run.state == "queued" else self.api.task_instances(run)
                self.progress.show(_view(run, tasks))
                if run.is_over:
                    ended[run_id] = run
                    del pending[run_id]
                elif run.state == "queued":
                    break  # The DAG runs one at a time: those behind it wait as well.
            if pending and time.monotonic() > deadline:
                late = next(iter(pending.values()))
                raise StoryError(
                    f"{_label(late)} is not over after {_OVER_WITHIN_S:.0f} s; see: mlops status"
                )
            if pending:
                time.sleep(_POLL_S)
        return tuple(ended[run.run_id] for run in runs)

    def until_waiting(self, run: DagRun, task_id: str) -> bool:
        """Follow a run until a task of it waits for a person; return False if the run is over first."""
        began, waits_since = time.monotonic(), None
        while time.monotonic() < began + _OVER_WITHIN_S:
            now = self.api.run(run.dag_id, run.run_id)
            tasks = () if now.state == "queued" else self.api.task_instances(now)
            self.progress.show(_view(now, tasks))
            waits = any((task.task_id, task.state) == (task_id, _AWAITING_INPUT) for task in tasks)
            waits_since = (waits_since or time.monotonic()) if waits else None
            if waits_since is not None and time.monotonic() >= waits_since + _SETTLED_S:
                return True
            if now.is_over:
                return False
            time.sleep(_POLL_S)
        raise StoryError(f"{_label(run)} is not at {task_id} after {_OVER_WITHIN_S:.0f} s; see: mlops status")

    def until_resumed(self, run: DagRun, task_id: str) -> None:
        """Return when a task that waited for a person waits no longer."""
        deadline = time.monotonic() + _APPEARS_WITHIN_S
        while any(
            (task.task_id, task.state) == (task_id, _AWAITING_INPUT) for task in self.api.task_instances(run)
        ):
            if time.monotonic() > deadline:
                raise StoryError(
                    f"{task_id} of {_label(run)} was answered and still waits; see: mlops status"
                )
            time.sleep(_POLL_S)

    def expect(self, dag_id: str, *, known: Collection[str] = (), partition_key: str | None = None) -> DagRun:
        """Return the run that an asset event starts, once it is there.

        Parameters
        ----------
        known
            Ids of the runs that were there before the event.
        partition_key
            Of the run, if it is known.

        Raises
        ------
        StoryError
            If no such run appears.
        """
        deadline = time.monotonic() + _APPEARS_WITHIN_S
        while time.monotonic() < deadline:
            for run in self.api.runs(dag_id):
                if run.run_id not in known and partition_key in (None, run.partition_key):
                    return run
            time.sleep(_POLL_S)
        what = dag_id if partition_key is None else f"{dag_id} for {partition_key}"
        raise StoryError(f"no run of {what} was started by the asset event within {_APPEARS_WITHIN_S:.0f} s")

    def require_success(self, run: DagRun) -> DagRun:
        """Return the run if it succeeded.

        Raises
        ------
        StoryError
            If it failed; it shows the end of the failed task's log.
        """
        if run.state == "success":
            return run
        failed = self.failed_tasks(run)
        if not failed:
            raise StoryError(f"{_label(run)} ended as {run.state}, though no task failed")
        names = ", ".join(task.task_id for task in failed)
        log = self.api.log_tail(run, failed[0])
        raise StoryError(f"{_label(run)} failed at {names}; its log ends:\n{log}")

    def failed_tasks(self, run: DagRun) -> tuple[TaskInstance, ...]:
        """Return the tasks that failed themselves, not for what came before."""
        return tuple(task for task in self.api.task_instances(run) if task.state == "failed")


def _view(run: DagRun, tasks: Sequence[TaskInstance]) -> RunView:
    order = {name: position for position, name in enumerate(_TASK_ORDER)}
    ordered = sorted(tasks, key=lambda task: (order.get(task.task_id, len(order)), task.map_index))
    return RunView(_label(run), run.state, tuple((task.task_id, task.state or "none") for task in ordered))


def _label(run: DagRun) -> str:
    if run.partition_key is not None:
        return f"{run.dag_id} {run.partition_key}"
    started_by = " (by asset event)" if run.run_type.startswith("asset") else ""
    return f"{run.dag_id}{started_by}"
