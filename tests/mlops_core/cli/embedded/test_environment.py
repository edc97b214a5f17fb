import json
from pathlib import Path

import pytest

from mlops_core.cli.embedded.credentials import ensure_secrets
from mlops_core.cli.embedded.environment import Project, platform_environment
from mlops_core.cli.embedded.home import Home
from mlops_core.cli.embedded.ports import Ports
from mlops_core.settings import Settings

PORTS = Ports(airflow_port=1, mlflow_port=2, model_server_port=3)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for folder in ("dags", "include", "plugins"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    read = (
        "MLOPS_DAGS_FOLDER",
        "MLOPS_PLUGINS_FOLDER",
        "MLOPS_GPU_SLOTS",
        "PYTHONPATH",
        "NO_PROXY",
        "no_proxy",
    )
    for name in read:
        monkeypatch.delenv(name, raising=False)
    return Project.from_environment()


def environment_of(project: Project) -> dict[str, str]:
    home = Home(project.root / "home")
    home.prepare(made_by="up")
    return platform_environment(home, ports=PORTS, project=project, secrets=ensure_secrets(home))


def test_airflow_and_the_library_are_given_the_same_places(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = environment_of(project)
    for name, value in environment.items():
        if name.startswith("MLOPS_"):
            monkeypatch.setenv(name, value)

    settings = Settings.from_environment()

    assert settings.home == project.root / "home"
    assert settings.signing_key == project.root / "home" / "keys" / "signing.pem"
    assert settings.trusted_keys == project.root / "home" / "keys" / "trusted"
    assert settings.tracking_uri == "http://127.0.0.1:2"
    assert settings.model_server_url == "http://127.0.0.1:3"
    connection = json.loads(environment["AIRFLOW_CONN_MLFLOW_DEFAULT"])
    assert connection == {"conn_type": "mlflow", "host": "http://127.0.0.1", "port": 2}
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:1/execution/"


def test_an_address_in_the_callers_environment_does_not_leak_in(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_LEDGER_URL", "postgresql://production/ledger")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "postgresql://production/airflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://production")

    environment = environment_of(project)

    assert [name for name, value in environment.items() if "production" in value] == []


def test_a_pace_that_the_caller_has_set_wins(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "7")

    assert environment_of(project)["AIRFLOW__CORE__PARALLELISM"] == "7"


def test_tasks_are_told_how_many_slots_the_pool_of_gpus_has(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlops_core.cli.embedded.environment.visible_gpus", lambda: ("GPU-0", "GPU-1"))
    assert environment_of(project)["MLOPS_GPU_SLOTS"] == "2"

    monkeypatch.setenv("MLOPS_GPU_SLOTS", "")
    assert environment_of(project)["MLOPS_GPU_SLOTS"] == "2"

    monkeypatch.setenv("MLOPS_GPU_SLOTS", "1")
    assert environment_of(project)["MLOPS_GPU_SLOTS"] == "1"


def test_heavy_imports_are_preloaded_by_the_service_that_asks_for_it_alone(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_PRELOAD", "1")

    assert "MLOPS_PRELOAD" not in environment_of(project)


def test_local_services_are_reached_without_the_callers_proxy(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet")

    assert environment_of(project)["NO_PROXY"] == "intranet,127.0.0.1,localhost"


def test_the_projects_packages_come_before_the_callers(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")

    expected = f"{project.root / 'include'}:{project.root / 'plugins'}:/elsewhere"
    assert environment_of(project)["PYTHONPATH"] == expected
