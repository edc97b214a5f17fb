"""The web app in front of a stand-in for Airflow: its API, and an auth manager that knows some users."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
from airflow.api_fastapi import app as airflow_app
from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
from airflow.models.dag import DagModel
from fastapi import FastAPI
from fastapi.testclient import TestClient
from jwt import InvalidTokenError

from airflow_mlops.ui import models
from airflow_mlops.ui.app import create_app
from fleet_examples import populate
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.registry.ledger import Ledger
from registry_examples import Clock
from web_app import USERS, StandInAirflow, User, signed_in


@dataclass(frozen=True)
class Filled:
    """A ledger that was filled once, to be copied: making its tables takes longer than a test."""

    file: Path
    judged: EvaluationReport
    now: datetime


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    file, clock = tmp_path_factory.mktemp("filled") / "ledger.db", Clock()
    with Ledger(f"sqlite:///{file}", clock=clock) as ledger:
        judged = populate(ledger, clock)
    return Filled(file=file, judged=judged, now=clock())


@pytest.fixture
def clock(filled: Filled) -> Clock:
    clock = Clock()
    clock.now = filled.now
    return clock


@pytest.fixture
def ledger(filled: Filled, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """The ledger that the pages read, in the folder of the test."""
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    for name in ("MLOPS_LEDGER_URL", "MLOPS_REPORTS_PATH"):
        monkeypatch.delenv(name, raising=False)
    shutil.copy(filled.file, tmp_path / "ledger.db")
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock) as opened:
        monkeypatch.setattr("airflow_mlops.ui.sources._ledger", lambda _url: opened)
        monkeypatch.setattr(models, "utc_now", clock)
        yield opened


@pytest.fixture
def judged(ledger: Ledger, filled: Filled, monkeypatch: pytest.MonkeyPatch) -> EvaluationReport:  # noqa: ARG001
    """The report on which version 3 waits; MLflow holds it."""
    monkeypatch.setattr(models, "read_evaluation", lambda _record: filled.judged)
    return filled.judged


@pytest.fixture
def approval(judged: EvaluationReport) -> dict[str, str]:
    """The form as the page showed it, with a reason."""
    return {
        "reason": "better on every slice",
        "key": "0123456789abcdef",
        "generation": "2",
        "version": "3",
        "evidence": judged.digest(),
    }


@pytest.fixture
def auth_manager(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Knows the users by their name as the token."""

    async def user_of(token: str) -> User:
        if token not in USERS:
            raise InvalidTokenError
        return USERS[token]

    def allows(*, method: str, user: User, details: Any, access_entity: Any = None) -> bool:  # noqa: ARG001
        return details.id in (user.reads if method == "GET" else user.runs)

    def readable(*, user: User, method: str) -> set[str]:
        return set(user.reads if method == "GET" else user.runs)

    manager = create_autospec(BaseAuthManager, instance=True)
    manager.get_user_from_token = user_of
    manager.get_authorized_dag_ids.side_effect = readable
    manager.is_authorized_dag.side_effect = allows
    manager.is_authorized_hitl_task.side_effect = lambda *, assigned_users, user: user.name in assigned_users
    manager.get_url_login.return_value = "/auth/login"
    monkeypatch.setattr(airflow_app._AuthManagerState, "instance", manager)
    monkeypatch.setattr(DagModel, "get_team_name", lambda _dag_id: None)
    return manager


@pytest.fixture
def airflow() -> StandInAirflow:
    return StandInAirflow()


@pytest.fixture
def site(auth_manager: Any, airflow: StandInAirflow, judged: EvaluationReport) -> FastAPI:  # noqa: ARG001
    """An API server with the pages mounted as Airflow mounts them."""
    airflow.evidence = judged.digest()
    core = FastAPI()
    core.mount("/mlops", create_app(airflow=airflow.app))
    return core


@pytest.fixture
def browser(site: FastAPI) -> TestClient:
    """A browser that is signed in as ada."""
    return signed_in(site, "ada")
