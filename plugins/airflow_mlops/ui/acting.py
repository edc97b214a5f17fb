"""Acts through Airflow's public API, in this process, as the user of a request.

Airflow so checks the user's rights itself, and its audit log names the person.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from fastapi import Request, status
from starlette.types import ASGIApp

from airflow_mlops.ui.questions import Question, over, question_of
from mlops_core.registry.records import ApprovalRequest

_TIMEOUT_S = 30.0


class AirflowRefusedError(Exception):
    """Airflow's API said no."""

    def __init__(self, status_code: int, reason: str) -> None:
        super().__init__(reason)
        self.status_code = status_code


class StartedAlreadyError(Exception):
    """The run of this form is there, and it was started with something else."""


def served_app() -> ASGIApp:
    """Return the Airflow that this process serves. The server has imported it by its name already."""
    from airflow.api_fastapi.main import app

    return app


@dataclass(frozen=True)
class ActingUser:
    """Sends requests to Airflow's API with one user's own token."""

    airflow: Callable[[], ASGIApp]
    token: str
    root_path: str

    @classmethod
    def of(cls, request: Request, *, airflow: Callable[[], ASGIApp]) -> "ActingUser":
        """Take over the token of a request that was authenticated."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        token = bearer if scheme.lower() == "bearer" else request.cookies.get(COOKIE_NAME_JWT_TOKEN, "")
        mounted_at = request.scope.get("root_path", "")
        return cls(airflow=airflow, token=token, root_path=mounted_at.removesuffix("/mlops"))

    async def first_waiting(
        self, requests: Iterable[ApprovalRequest]
    ) -> tuple[ApprovalRequest, Question] | None:
        """Return the first request whose task waits for a person, else the first, and what Airflow says."""
        first = None
        for asked in requests:
            question = await self.question(asked)
            if question.waits:
                return asked, question
            first = first or (asked, question)
        return first

    async def question(self, asked: ApprovalRequest) -> Question:
        """Ask Airflow whether the task waits for a person."""
        try:
            detail = await self._call("GET", _question(asked), None)
        except AirflowRefusedError as error:
            if error.status_code == status.HTTP_404_NOT_FOUND:
                return over(asked, found="has no open question")
            return Question("unknown", f"Airflow does not say whether the task waits: {error}")
        return question_of(detail, asked=asked)

    async def answer(self, asked: ApprovalRequest, *, option: str, reason: str) -> None:
        """Answer the task that waits for a person.

        Raises
        ------
        AirflowRefusedError
            If the user may not, or somebody has answered already.
        """
        # The task takes a yes for the evidence alone that the answer names.
        answered = {"reason": reason, "evidence": asked.evidence_digest}
        body = {"chosen_options": [option], "params_input": answered}
        await self._call("PATCH", _question(asked), body)

    async def trigger(self, dag_id: str, *, run_id: str, conf: Mapping[str, Any]) -> bool:
        """Start a run, or find the same one that the form has started; return whether the DAG is paused.

        Raises
        ------
        AirflowRefusedError
            If the user may not, or the DAG is not there.
        StartedAlreadyError
            If the form has started its run with another conf.
        """
        runs = f"/dags/{quote(dag_id)}/dagRuns"
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf)}
        try:
            await self._call("POST", runs, body)
        except AirflowRefusedError as error:
            if error.status_code != status.HTTP_409_CONFLICT:
                raise
            run = await self._call("GET", f"{runs}/{quote(run_id, safe='')}", None)
            if run.get("conf") != dict(conf):
                raise StartedAlreadyError(
                    f"This form has started a run of {dag_id} already, with another reason or version."
                ) from error
        dag = await self._call("GET", f"/dags/{quote(dag_id)}", None)
        return bool(dag.get("is_paused"))

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        transport = httpx.ASGITransport(app=self.airflow(), raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://airflow", timeout=_TIMEOUT_S
        ) as client:
            response = await client.request(
                method,
                f"{self.root_path}/api/v2{path}",
                json=body,
                headers={"Authorization": f"Bearer {self.token}"},
            )
        if response.is_success:
            return dict(response.json())
        raise AirflowRefusedError(response.status_code, _reason(response))


def _question(asked: ApprovalRequest) -> str:
    run = f"/dags/{quote(asked.dag_id)}/dagRuns/{quote(asked.run_id, safe='')}"
    return f"{run}/taskInstances/{quote(asked.task_id)}/-1/hitlDetails"


def _reason(response: httpx.Response) -> str:
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        return f"Airflow's API answered {response.status_code}."
    return detail if isinstance(detail, str) else str(detail)[:500]
