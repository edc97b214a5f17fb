"""Airflow's REST API, as far as a person who triggers DAGs and reads their results needs it."""

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import httpx
from pydantic import BaseModel, ConfigDict, Field

from mlops_core.errors import PlatformError, ServiceUnavailableError

_ATTEMPTS = 4


class DagRun(BaseModel):
    """What the API says of a DAG run; fields that nobody here reads are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    dag_id: str
    run_id: str = Field(validation_alias="dag_run_id")
    state: str
    run_type: str
    partition_key: str | None = None
    start_date: datetime | None = None
    end_date: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has succeeded or failed."""
        return self.state in {"success", "failed"}

    @property
    def seconds(self) -> float:
        """How long it has run; 0 while it is not over."""
        if self.start_date is None or self.end_date is None:
            return 0.0
        return (self.end_date - self.start_date).total_seconds()


class TaskInstance(BaseModel):
    """What the API says of a task instance."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    task_id: str
    map_index: int = -1
    state: str | None = None
    try_number: int = 0
    duration: float | None = None


class Pool(BaseModel):
    """What the API says of a pool; ``slots`` of -1 are without a limit."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    slots: int
    description: str | None = None
    include_deferred: bool


class AirflowClient:
    """Speaks with one Airflow as one user; logs in by itself, again when its token has expired.

    Parameters
    ----------
    pause_s
        Before a request that was not answered is sent again; grows with each attempt.
    transport
        Takes the network's place in tests.
    """

    def __init__(
        self,
        url: str,
        *,
        user: str,
        password: str,
        timeout_s: float = 30.0,
        pause_s: float = 0.5,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._user = user
        self._password = password
        self._pause_s = pause_s
        self._http = httpx.Client(base_url=url, timeout=timeout_s, trust_env=False, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def dag_ids(self) -> tuple[str, ...]:
        """Return the ids of all DAGs that Airflow knows."""
        return tuple(sorted(dag["dag_id"] for dag in self._pages("/api/v2/dags", key="dags")))

    def import_errors(self) -> tuple[str, ...]:
        """Return why DAG files do not import, a message a file."""
        problems = self._pages("/api/v2/importErrors", key="import_errors")
        return tuple(f"{problem['filename']}: {problem['stack_trace']}" for problem in problems)

    def set_paused(self, dag_id: str, *, paused: bool) -> None:
        """Pause a DAG or let it run."""
        self._json("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": paused})

    def pool(self, name: str) -> Pool | None:
        """Return the pool of that name; nothing if there is none."""
        answer = self._request("GET", f"/api/v2/pools/{name}")
        return None if answer.status_code == httpx.codes.NOT_FOUND else Pool.model_validate(_checked(answer))

    def set_pool(self, pool: Pool) -> None:
        """Make a pool, or change the one of that name."""
        answer = self._request("POST", "/api/v2/pools", json=pool.model_dump())
        if answer.status_code == httpx.codes.CONFLICT:
            # Airflow's own name of the field differs here.
            body = {"pool": pool.name, **pool.model_dump(exclude={"name"})}
            answer = self._request("PATCH", f"/api/v2/pools/{pool.name}", json=body)
        _checked(answer)

    def trigger(
        self, dag_id: str, *, conf: Mapping[str, Any] | None = None, partition_key: str | None = None
    ) -> DagRun:
        """Start one run, however often the request for it has to be sent.

        Raises
        ------
        PlatformError
            If the API refuses: a conf outside the DAG's schema is a 400, for example.
        """
        # The id is chosen here, so that a request sent again finds the run that the lost answer was about.
        run_id = f"manual__{datetime.now(UTC).isoformat()}_{uuid4().hex[:8]}"
        body: dict[str, Any] = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf or {})}
        if partition_key is not None:
            body["partition_key"] = partition_key
        answer = self._request("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)
        if answer.status_code == httpx.codes.CONFLICT:
            return self.run(dag_id, run_id)
        return DagRun.model_validate(_checked(answer))

    def run(self, dag_id: str, run_id: str) -> DagRun:
        """Return one run as it is now."""
        return DagRun.model_validate(self._json("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"))

    def runs(self, dag_id: str) -> tuple[DagRun, ...]:
        """Return every run of a DAG, oldest first."""
        found = self._pages(f"/api/v2/dags/{dag_id}/dagRuns", key="dag_runs")
        return tuple(DagRun.model_validate(run) for run in found)

    def task_instances(self, run: DagRun) -> tuple[TaskInstance, ...]:
        """Return the task instances of a run."""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances"
        return tuple(TaskInstance.model_validate(found) for found in self._pages(path, key="task_instances"))

    def xcom(self, run: DagRun, task_id: str, *, key: str = "return_value", map_index: int = -1) -> Any:
        """Return what a task has left for others; nothing if it left nothing."""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        response = self._request("GET", path, params={"map_index": map_index})
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        return _checked(response)["value"]

    def answer(self, run: DagRun, task_id: str, *, option: str, fields: Mapping[str, Any]) -> None:
        """Answer a task that waits for a person.

        Raises
        ------
        PlatformError
            If the API refuses: the user may not answer, or another answer came first.
        """
        task = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task_id}/-1/hitlDetails"
        body = {"chosen_options": [option], "params_input": dict(fields)}
        answer = self._request("PATCH", task, json=body)
        if answer.status_code == httpx.codes.CONFLICT:
            given = self._json("GET", task)
            if (given["chosen_options"], given["params_input"]) == ([option], dict(fields)):
                return
        _checked(answer)

    def log_tail(self, run: DagRun, task: TaskInstance, *, lines: int = 20) -> str:
        """Return the last lines of a task's log."""
        path = f"/api/v2/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task.task_id}/logs"
        body = self._json(
            "GET", f"{path}/{task.try_number}", params={"map_index": task.map_index, "full_content": True}
        )
        return "\n".join(_log_lines(body.get("content"))[-lines:])

    def _pages(self, path: str, *, key: str) -> Iterable[dict[str, Any]]:
        offset = 0
        while True:
            body = self._json("GET", path, params={"limit": 100, "offset": offset})
            yield from body[key]
            offset += len(body[key])
            if not body[key] or offset >= body["total_entries"]:
                return

    def _json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        return _checked(self._request(method, path, **options))

    def _request(self, method: str, path: str, **options: Any) -> httpx.Response:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                if "Authorization" not in self._http.headers:
                    self._log_in()
                response = self._http.request(method, path, **options)
                if response.status_code == httpx.codes.UNAUTHORIZED:
                    del self._http.headers["Authorization"]
                    self._log_in()
                    response = self._http.request(method, path, **options)
            except httpx.TransportError as error:
                if attempt == _ATTEMPTS:
                    raise ServiceUnavailableError(
                        f"Airflow at {self._http.base_url} did not answer {method} {path}: "
                        f"{type(error).__name__}; see: mlops status"
                    ) from error
            else:
                if response.status_code < httpx.codes.INTERNAL_SERVER_ERROR or attempt == _ATTEMPTS:
                    return response
            time.sleep(self._pause_s * attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _log_in(self) -> None:
        answer = self._http.post("/auth/token", json={"username": self._user, "password": self._password})
        if answer.status_code != httpx.codes.CREATED:
            raise PlatformError(
                f"Airflow at {self._http.base_url} refused the user {self._user!r} ({answer.status_code}); "
                "if another Airflow listens there, choose another port: MLOPS_AIRFLOW_PORT"
            )
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _checked(response: httpx.Response) -> dict[str, Any]:
    if response.is_success:
        body = response.json()
        return body if isinstance(body, dict) else {"value": body}
    try:
        reason = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        reason = response.text[:500]
    request = response.request
    raise PlatformError(
        f"Airflow refused {request.method} {request.url.path}: {response.status_code} {reason}"
    )


def _log_lines(content: Any) -> list[str]:
    """Flatten a log: its lines are texts or structured messages, whose errors carry their own traceback."""
    lines: list[str] = []
    for entry in content if isinstance(content, list) else [content]:
        if isinstance(entry, Mapping):
            level = str(entry.get("level") or "").upper()
            lines.append(f"{level} {entry.get('event', '')}".strip())
            lines.extend(
                f"  {detail['exc_type']}: {detail['exc_value']}"
                for detail in entry.get("error_detail") or ()
                if isinstance(detail, Mapping) and "exc_type" in detail
            )
        elif entry:
            lines.extend(str(entry).splitlines())
    return lines
