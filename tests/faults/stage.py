"""Where the kill matrix plays: a platform of its own, the real engine, and a watch over it."""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from embedded_platform import OwnPlatform
from engine_proxy import EngineProxy
from faults.engine_watch import EngineWatch
from following import Follower, wait_for_end, wait_until
from mlops_core.cli.airflow_api import DagRun, TaskInstance
from mlops_core.cli.embedded.processes import family
from mlops_core.errors import PlatformError

TASK = "work"
_WRITES_WITHIN_SECONDS = 5.0
_HERE = Path(__file__).resolve().parent

_PACE = {
    # A worker that died is noticed by its silence: after 300 seconds by default.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__CORE__PARALLELISM": "6",
    "OMP_NUM_THREADS": "1",
}


class Airflow(Follower):
    """The API of the platform, with what a person can do to a task."""

    def mark_failed(self, run: DagRun) -> None:
        """Mark a run's task as failed."""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{TASK}"
        body = {"new_state": "failed"}
        self.patch(path, body).raise_for_status()

    def clear(self, run: DagRun) -> None:
        """Clear a run's task."""
        body = {"dry_run": False, "dag_run_id": run.run_id, "task_ids": [TASK], "only_failed": False}
        self.post(f"/api/v2/dags/{run.dag_id}/clearTaskInstances", body).raise_for_status()

    def task(self, run: DagRun) -> TaskInstance | None:
        """Return the run's task, if it is there by now."""
        return next((task for task in self.api.task_instances(run) if task.task_id == TASK), None)

    def logs(self, run: DagRun) -> tuple[str, ...]:
        """Return the logs of all tries of a run's task; empty where there is none."""
        task = self.task(run)
        numbers = range(1, (task.try_number if task else 0) + 1)
        return tuple(self._log_of_try(run, number) for number in numbers)

    def noted(self, run: DagRun) -> str | None:
        """Return which line of its container the run's task has noted as shown, by its time stamp."""
        task = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{TASK}"
        answer = self.get(f"{task}/state-store/mlops_container")
        return answer.json()["value"]["since"] if answer.is_success else None

    def _log_of_try(self, run: DagRun, number: int) -> str:
        def found() -> tuple[str] | None:
            # While a task goes from one try to the next, Airflow does not know the earlier one for a moment.
            with contextlib.suppress(PlatformError):
                return (self.api.log_tail(run, TaskInstance(task_id=TASK, try_number=number), lines=100_000),)
            return None

        return wait_until(found, f"there is a log of try {number} of {run.dag_id}")[0]


@dataclass(frozen=True)
class Stage:
    """What injections work with."""

    platform: OwnPlatform
    airflow: Airflow
    watch: EngineWatch
    proxy: EngineProxy
    folder: Path
    restart_engine: str | None = None

    def task_process(self, dag_id: str) -> psutil.Process:
        """Return the process of the DAG's task that has been started last."""
        return psutil.Process(int((self.folder / dag_id).read_text()))

    def worker_process(self, dag_id: str) -> psutil.Process:
        """Return the worker that has started this task."""
        worker = self.task_process(dag_id).parent()
        assert worker is not None, f"the task of {dag_id} has no parent"
        return worker

    def kill_service(self, name: str, *, with_children: bool) -> None:
        """Kill one service of the platform, alone or with all that it has started."""
        record = self.platform.record.processes[name]
        processes = family(record) if with_children else [psutil.Process(record.pid)]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        wait_for_end(processes)

    @contextlib.contextmanager
    def service_ending(self, name: str) -> Iterator[None]:
        """Ask one service of the platform to end, and wait after the block until it has."""
        process = psutil.Process(self.platform.record.processes[name].pid)
        process.terminate()
        yield
        wait_for_end([process])

    @contextlib.contextmanager
    def service_stopped(self, name: str) -> Iterator[None]:
        """Let one service of the platform do nothing within the block."""
        processes = family(self.platform.record.processes[name])

        def suspended() -> bool:
            for process in processes:
                process.suspend()
            if self._database_is_free():
                return True
            # It may be this very service that was about to write; nobody else could then.
            for process in processes:
                process.resume()
            return False

        try:
            wait_until(suspended, f"{name} is stopped while it does not write")
            yield
        finally:
            for process in processes:
                process.resume()

    def _database_is_free(self) -> bool:
        """Whether Airflow's database, which has one write lock, can be written."""
        path = self.platform.home.airflow / "airflow.db"
        with contextlib.closing(
            sqlite3.connect(path, timeout=_WRITES_WITHIN_SECONDS, isolation_level=None)
        ) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            connection.rollback()
            return True

    def heal(self) -> None:
        """Bring back what was killed, as a person would."""
        healed = self.platform.command("up")
        assert healed.returncode == 0, healed.stdout + healed.stderr


@contextlib.contextmanager
def open_stage(
    engine_url: str, *, restart_engine: str | None = None, folder: Path | None = None
) -> Iterator[Stage]:
    """Bring everything up; at the end, take everything down that was made here."""
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mlops-faults-")))
        proxy = stack.enter_context(EngineProxy(engine_url, path=folder / "engine.sock"))
        watch = stack.enter_context(EngineWatch(engine_url))
        platform = OwnPlatform.make(folder, dags=_HERE / "dags")
        (folder / "processes").mkdir()
        search_path = os.pathsep.join(filter(None, (str(_HERE.parent), os.environ.get("PYTHONPATH"))))
        platform.environment.update(
            {
                **_PACE,
                "PYTHONPATH": search_path,
                "DOCKER_HOST": engine_url,
                "MLOPS_FAULTS_ENGINE": proxy.url,
                "MLOPS_FAULTS_FOLDER": str(folder / "processes"),
            }
        )
        stack.callback(platform.command, "down")
        started = platform.command("up")
        assert started.returncode == 0, started.stdout + started.stderr
        api = stack.enter_context(platform.api())
        yield Stage(
            platform=platform,
            airflow=Airflow(platform, api),
            watch=watch,
            proxy=proxy,
            folder=folder / "processes",
            restart_engine=restart_engine,
        )
