import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlops_core.cli.main import app


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dags").mkdir()
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLOPS_DAGS_FOLDER", str(tmp_path / "dags"))
    return tmp_path / "home"


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, list(arguments))
    return result.exit_code, result.output


@pytest.mark.parametrize("command", ["up", "down", "status", "demo", "check"])
def test_every_command_explains_itself(command: str) -> None:
    code, output = run(command, "--help")

    assert code == 0
    assert "Usage" in output


def test_without_a_command_the_help_names_the_variables_and_the_exit_codes() -> None:
    _, output = run()

    for word in ("MLOPS_HOME", "MLOPS_AIRFLOW_PORT", "Exit codes", "demo", "check"):
        assert word in output


def test_the_status_of_nothing_is_exit_code_3(home: Path) -> None:
    code, output = run("status")

    assert code == 3
    assert "nothing runs" in output
    assert not home.exists(), "looking made a home"


def test_the_status_as_json_can_be_parsed(home: Path) -> None:
    _, output = run("status", "--json")

    assert json.loads(output) == {"home": str(home), "healthy": False, "services": []}


def test_ending_nothing_is_no_error(home: Path) -> None:
    code, output = run("down")

    assert code == 0
    assert f"nothing runs in {home}" in output


def test_wiping_deletes_a_home_and_refuses_any_other_folder(home: Path) -> None:
    home.mkdir()
    (home / "thesis.txt").write_text("years of work")

    code, output = run("down", "--wipe")

    assert code == 1
    assert "was not made by this command" in output
    assert (home / "thesis.txt").exists()


def test_a_taken_port_is_refused_before_anything_starts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        monkeypatch.setenv("MLOPS_MLFLOW_PORT", str(listener.getsockname()[1]))

        code, output = run("up")

    assert code == 1
    assert "choose another port: MLOPS_MLFLOW_PORT=" in output
    assert not (home / "platform.json").exists()


@pytest.mark.usefixtures("home")
def test_a_project_without_dag_files_says_where_they_were_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_DAGS_FOLDER", str(tmp_path / "none"))

    code, output = run("up")

    assert code == 1
    assert f"no folder of DAG files at {tmp_path / 'none'}" in output


def test_a_stale_record_does_not_count_as_running(home: Path) -> None:
    home.mkdir()
    (home / ".mlops-home").write_text('{"made_by": "up", "made_at": "2026-01-01T00:00:00Z"}')
    stale = {"mlflow": {"pid": 4_000_000, "create_time": 1.0}}
    ports = {"airflow_port": 1, "mlflow_port": 2, "model_server_port": 3}
    (home / "platform.json").write_text(json.dumps({**ports, "processes": stale}))

    assert run("status")[0] == 3
    assert run("down")[0] == 0
    assert not (home / "platform.json").exists()


def test_an_unreadable_record_names_the_file(home: Path) -> None:
    home.mkdir()
    (home / ".mlops-home").write_text('{"made_by": "up", "made_at": "2026-01-01T00:00:00Z"}')
    (home / "platform.json").write_text("{")

    code, output = run("status")

    assert code == 1
    assert "platform.json cannot be understood" in output


@pytest.mark.usefixtures("home")
def test_checking_an_unknown_model_is_a_wrong_use() -> None:
    code, output = run("check", "no_such_model")

    assert code == 2
    assert "no_such_model.pipeline" in output
