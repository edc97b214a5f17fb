import base64
import stat
from pathlib import Path

import pytest

from mlops_core.cli.embedded.ports import Ports
from mlops_core.cli.stack.configuration import StackFiles
from mlops_core.errors import PlatformError

PORTS = Ports(airflow_port=1001, mlflow_port=1002, model_server_port=1003)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StackFiles:
    (tmp_path / "docker-compose.yaml").write_text("services: {}\n")
    monkeypatch.chdir(tmp_path)
    for name in ("MLOPS_STACK_NAME", "MLOPS_GPU_SLOTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    return StackFiles.from_environment()


def test_secrets_are_long_differ_and_only_their_owner_reads_them(files: StackFiles) -> None:
    variables = files.write_variables(ports=PORTS, gpus=0)

    assert files.variables() == variables
    assert stat.S_IMODE(files.variables_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.variables_file.parent.stat().st_mode) == 0o700
    passwords = [value for name, value in variables.items() if "PASSWORD" in name]
    assert len(set(passwords)) == len(passwords) == 7
    assert min(map(len, passwords)) >= 20
    assert len(variables["AIRFLOW_JWT_SECRET"]) >= 64
    assert len(base64.urlsafe_b64decode(variables["AIRFLOW_FERNET_KEY"])) == 32


def test_secrets_stay_and_facts_are_found_anew(files: StackFiles) -> None:
    first = files.write_variables(ports=PORTS, gpus=0)
    second = files.write_variables(ports=Ports(airflow_port=2001), gpus=4)

    changed = {name for name in second if second[name] != first[name]}
    assert changed == {
        "MLOPS_AIRFLOW_PORT",
        "MLOPS_MLFLOW_PORT",
        "MLOPS_MODEL_SERVER_PORT",
        "MLOPS_GPU_SLOTS",
    }
    assert (first["MLOPS_GPU_SLOTS"], second["MLOPS_GPU_SLOTS"]) == ("0", "4")
    assert files.ports().airflow_port == 2001


def test_a_persons_own_number_of_slots_wins_over_what_is_visible(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_GPU_SLOTS", "2")

    assert files.write_variables(ports=PORTS, gpus=0)["MLOPS_GPU_SLOTS"] == "2"


def test_a_folder_that_others_may_open_is_closed(files: StackFiles) -> None:
    files.variables_file.parent.mkdir(parents=True, mode=0o755)

    files.write_variables(ports=PORTS, gpus=0)

    assert stat.S_IMODE(files.variables_file.parent.stat().st_mode) == 0o700


def test_the_images_are_told_the_commit_that_they_are_made_of(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_CODE_VERSION", "0a1b2c+modified")
    assert files.write_variables(ports=PORTS, gpus=0)["MLOPS_CODE_VERSION"] == "0a1b2c+modified"

    monkeypatch.delenv("MLOPS_CODE_VERSION")
    assert files.write_variables(ports=PORTS, gpus=0)["MLOPS_CODE_VERSION"] == ""


def test_what_a_container_is_shown_is_opened_to_its_user(files: StackFiles) -> None:
    files.databases_file.parent.mkdir(parents=True)
    files.databases_file.write_text("select 1;\n")
    files.databases_file.chmod(0o600)

    files.open_to_containers()

    assert stat.S_IMODE(files.databases_file.stat().st_mode) == 0o644


def test_two_stacks_share_nothing(files: StackFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_STACK_NAME", "other")
    other = StackFiles.from_environment()

    first = files.write_variables(ports=PORTS, gpus=0)
    second = other.write_variables(ports=PORTS, gpus=0)

    assert first["POSTGRES_PASSWORD"] != second["POSTGRES_PASSWORD"]
    assert second["MLOPS_STACK_NAME"] == "other"


@pytest.mark.parametrize("name", ["Big", "a b", "-x", "x/../y", "a" * 42])
def test_a_name_that_docker_would_refuse_is_refused_by_name(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    del files
    monkeypatch.setenv("MLOPS_STACK_NAME", name)

    with pytest.raises(PlatformError, match="MLOPS_STACK_NAME"):
        StackFiles.from_environment()


def test_an_engine_elsewhere_is_refused_since_its_socket_is_mounted(
    files: StackFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.7:2376")

    with pytest.raises(PlatformError, match=r"tcp://10\.0\.0\.7:2376 is no socket of this machine"):
        files.write_variables(ports=PORTS, gpus=0)


def test_a_folder_without_the_compose_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(PlatformError, match="run this in the project's folder"):
        StackFiles.from_environment()
