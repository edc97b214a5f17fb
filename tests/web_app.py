"""A stand-in for the Airflow around the web app: its API, its users, and browsers in front of it."""

from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from fleet_examples import NEW, QUIET, WAITING

ORIGIN = "http://testserver"


@dataclass
class User:
    """Somebody, the DAGs that they may read, and those that they may run."""

    name: str
    reads: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)

    def get_id(self) -> str:
        return self.name

    def get_name(self) -> str:
        return self.name


@dataclass
class StandInAirflow:
    """Airflow's public API as far as the pages use it: notes what it is asked, answers what a test says."""

    sent: list[dict[str, Any]] = field(default_factory=list)
    refuses: tuple[int, str] | None = None
    paused: bool = False
    evidence: str = ""
    states: dict[str, str] = field(default_factory=dict)
    """Of the tasks that ask, by run; a run that is missing waits for an answer."""
    answered: bool = False
    started: dict[str, Any] | None = None
    """The conf of the run that is there already."""
    silent: tuple[int, str] | None = None
    """What it answers to a look at a task in place of its state."""

    def app(self) -> FastAPI:
        api = FastAPI()

        @api.api_route("/api/v2/{path:path}", methods=["GET", "POST", "PATCH"])
        async def answer(request: Request, path: str) -> Any:
            if request.method == "GET":
                return self._look(path)
            body = await request.json()
            token = request.headers["authorization"]
            self.sent.append({"method": request.method, "path": path, "body": body, "token": token})
            if self.refuses is not None:
                code, detail = self.refuses
                return JSONResponse({"detail": detail}, status_code=code)
            return {"ok": True}

        return api

    def _look(self, path: str) -> Any:
        parts = path.split("/")
        if path.endswith("/hitlDetails"):
            if self.silent is not None:
                code, detail = self.silent
                return JSONResponse({"detail": detail}, status_code=code)
            return {
                "task_instance": {"state": self.states.get(parts[3], "awaiting_input")},
                "response_received": self.answered,
                "params": {"evidence": {"value": self.evidence, "description": None, "schema": {}}},
            }
        return {"conf": self.started} if "dagRuns" in parts else {"is_paused": self.paused}


def everything(*models_: str) -> set[str]:
    return {f"{model}__train" for model in models_} | {"mlops__rollback"}


USERS = {
    "ada": User("ada", reads=everything(WAITING, QUIET, NEW), runs=everything(WAITING, QUIET, NEW)),
    "grace": User("grace", reads=everything(WAITING), runs=everything(WAITING)),
    "viewer": User("viewer", reads=everything(WAITING, QUIET, NEW)),
    "stranger": User("stranger", reads={f"{QUIET}__train"}),
}


def signed_in(site: FastAPI, user: str | None) -> TestClient:
    cookies = {} if user is None else {"_token": user}
    headers = {"Accept": "text/html", "Origin": ORIGIN}
    return TestClient(site, base_url=ORIGIN, cookies=cookies, headers=headers, follow_redirects=False)
