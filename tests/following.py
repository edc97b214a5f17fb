"""Follows DAG runs through Airflow's API, as a person at a terminal would."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, TypeVar

import httpx
import psutil

from embedded_platform import OwnPlatform, runs
from mlops_core.cli.airflow_api import AirflowClient, DagRun
from mlops_core.cli.embedded.credentials import USER, read_password
from mlops_core.registry.ledger import Ledger

_PATIENCE_S = 600.0
_POLL_S = 0.3
ANSWER_WITHIN_S = 90.0
"""However slow the machine: a server that is there answers in this time."""
_Found = TypeVar("_Found")


def wait_until(look: Callable[[], _Found | None], what: str, *, seconds: float = _PATIENCE_S) -> _Found:
    """Return what a look finds, as soon as it finds something.

    Raises
    ------
    TimeoutError
        If it finds nothing in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        if found := look():
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s in vain until {what}")
        time.sleep(_POLL_S)


def wait_for_end(processes: Iterable[psutil.Process]) -> None:
    """Return when processes have ended that were told to."""
    waited_for = tuple(processes)
    wait_until(lambda: not any(map(runs, waited_for)), f"these have ended: {waited_for}")


class RunFollower:
    """One Airflow's API, with what tests ask of it."""

    def __init__(self, api: AirflowClient, *, url: str, password: str) -> None:
        self.api = api
        self.url = url
        credentials = {"username": USER, "password": password}
        answer = httpx.post(f"{self.url}/auth/token", json=credentials, timeout=ANSWER_WITHIN_S)
        token = answer.raise_for_status().json()["access_token"]
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> httpx.Response:
        """Ask the API server as the administrator."""
        return httpx.get(self.url + path, headers=self._headers, timeout=ANSWER_WITHIN_S)

    def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """Send to the API server as the administrator."""
        return httpx.post(self.url + path, json=body, headers=self._headers, timeout=ANSWER_WITHIN_S)

    def patch(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """Change something of the API server's as the administrator."""
        return httpx.patch(self.url + path, json=body, headers=self._headers, timeout=ANSWER_WITHIN_S)

    def unpause(self, *dag_ids: str) -> None:
        """Let DAGs run, when Airflow has found them."""
        wait_until(lambda: set(dag_ids) <= set(self.api.dag_ids()), f"{dag_ids} are known")
        for dag_id in dag_ids:
            self.api.set_paused(dag_id, paused=False)

    def trigger(self, dag_id: str, **options: Any) -> DagRun:
        """Start a run."""
        return self.api.trigger(dag_id, **options)

    def caused(self, dag_id: str, *, partition_key: str) -> DagRun:
        """Return the run of a partition that an asset event caused, when it is there."""
        return self.first(
            dag_id,
            lambda run: run.partition_key == partition_key,
            what=f"an event causes {dag_id} for {partition_key}",
        )

    def first(self, dag_id: str, is_it: Callable[[DagRun], bool], *, what: str) -> DagRun:
        """Return the first run of a DAG that is what is waited for, when it is there."""

        def find() -> DagRun | None:
            return next(filter(is_it, self.api.runs(dag_id)), None)

        return wait_until(find, what)

    def succeed(self, run: DagRun, *, skipped: Collection[str] = ()) -> DagRun:
        """Wait for a run's end and require success; only the named tasks may be skipped."""
        ended = self._ended(run)
        tasks = self.api.task_instances(ended)
        assert ended.state == "success", self.failures(ended)
        assert {task.task_id for task in tasks if task.state == "skipped"} == set(skipped)
        return ended

    def fail(self, run: DagRun) -> DagRun:
        """Wait for a run's end and require that it failed."""
        ended = self._ended(run)
        assert ended.state == "failed"
        return ended

    def failures(self, run: DagRun) -> str:
        """Return the states of a run's tasks, and how the logs of the failed ones end."""
        tasks = self.api.task_instances(run)
        logs = [self.api.log_tail(run, task, lines=40) for task in tasks if task.state == "failed"]
        return "\n".join([f"{run.dag_id}: {[(task.task_id, task.state) for task in tasks]}", *logs])

    def xcom(self, dag_id: str, task_id: str) -> Any:
        """Return what a task of the DAG's first run returned."""
        return self.api.xcom(self.api.runs(dag_id)[0], task_id)

    def log(self, run: DagRun, task_id: str) -> str:
        """Return a task's log."""
        task = next(task for task in self.api.task_instances(run) if task.task_id == task_id)
        return self.api.log_tail(run, task, lines=200)

    def wait_for_task(self, run: DagRun, task_id: str, *, states: Collection[str]) -> None:
        """Wait until a task of the run is in one of the states."""

        def reached() -> bool:
            tasks = self.api.task_instances(run)
            return any(task.task_id == task_id and task.state in states for task in tasks)

        wait_until(reached, f"{task_id} of {run.dag_id} is {' or '.join(states)}")

    def wait_for_question(self, run: DagRun, task_id: str) -> None:
        """Wait until a task asks a person, and has for three seconds, or cannot ask any more.

        Airflow ends what answers if the answer overtakes the news that the asking process has ended.
        """
        over, seen = {"success", "failed", "upstream_failed", "skipped"}, 0.0

        def settled() -> bool:
            nonlocal seen
            states = {task.task_id: task.state for task in self.api.task_instances(run)}
            if states.get(task_id) != "awaiting_input":
                seen = 0.0
                return states.get(task_id) in over
            seen = seen or time.monotonic()
            return time.monotonic() > seen + 3

        wait_until(settled, f"{task_id} of {run.dag_id} asks")

    def approve(self, run: DagRun, *, reason: str) -> None:
        """Say yes to what a training asks, naming the evidence that it stands on."""
        states = {task.task_id: task.state for task in self.api.task_instances(run)}
        assert states.get("approve") == "awaiting_input", self.failures(run)
        evidence = self.api.xcom(run, "evaluate")["digest"]
        self.api.answer(run, "approve", option="Approve", fields={"reason": reason, "evidence": evidence})

    def _ended(self, run: DagRun) -> DagRun:
        def ended() -> DagRun | None:
            now = self.api.run(run.dag_id, run.run_id)
            return now if now.is_over else None

        return wait_until(ended, f"{run.dag_id} {run.run_id} is over")


class Follower(RunFollower):
    """One embedded platform and its API, with what tests ask of them."""

    def __init__(self, platform: OwnPlatform, api: AirflowClient) -> None:
        super().__init__(api, url=platform.record.ports.airflow_url, password=read_password(platform.home))
        self.platform = platform

    @property
    def ledger_url(self) -> str:
        """Where the platform keeps what is in production."""
        return f"sqlite:///{self.platform.home.root / 'ledger.db'}"

    @cached_property
    def ledger(self) -> Ledger:
        """What is in production, read past the platform's own processes."""
        return Ledger(self.ledger_url)

    @contextmanager
    def service_away(self, name: str) -> Iterator[None]:
        """Kill one service of the platform within the block; afterwards `mlops up` brings it back."""
        process = psutil.Process(self.platform.record.processes[name].pid)
        family = [process, *process.children(recursive=True)]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        wait_for_end(family)
        try:
            yield
        finally:
            healed = self.platform.command("up")
            assert healed.returncode == 0, healed.stdout + healed.stderr
