"""A ledger in a folder of its own, with a clock that the test sets, and reports on a real MLflow server."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mlops_core.evaluation.report import EvaluationReport
from mlops_core.registry.ledger import Ledger, VersionRecord
from mlops_core.registry.register import register
from mlops_core.tracking import tracking_client
from registry_examples import Clock, passed_report, stored_model
from servers import MlflowServer


@pytest.fixture
def clock() -> Clock:
    return Clock()


# What a ledger promises, promised on both databases.
_ON_BOTH = {
    "test_approvals",
    "test_audit",
    "test_deployments",
    "test_evaluations",
    "test_events",
    "test_migrations",
    "test_production",
    "test_retirements",
    "test_retraining",
    "test_versions",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames and Path(str(metafunc.module.__file__)).stem in _ON_BOTH:
        databases = ["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)]
        metafunc.parametrize("database", databases, indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    return getattr(request, "param", "sqlite")


@pytest.fixture
def ledger_url(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    if database == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ledger(ledger_url: str, clock: Clock) -> Iterator[Ledger]:
    with Ledger(ledger_url, clock=clock) as opened:
        yield opened


@pytest.fixture
def client(mlflow_server: MlflowServer) -> MlflowClient:
    return tracking_client(mlflow_server.uri)


@pytest.fixture
def model() -> str:
    """A name of its own on the shared server."""
    return f"model_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def report(client: MlflowClient, model: str) -> EvaluationReport:
    return passed_report(stored_model(client), pipeline=model)


@pytest.fixture
def submit(ledger: Ledger, mlflow_server: MlflowServer) -> Callable[..., VersionRecord]:
    """Register a report."""

    def call(report: EvaluationReport, *, key: str = "run-1/register") -> VersionRecord:
        return register(
            report,
            ledger=ledger,
            tracking_uri=mlflow_server.uri,
            operation_key=f"{report.pipeline}/{key}",
            actor="train",
        )

    return call
