"""What docker-compose.yaml promises, read as Docker Compose reads it."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_core.cli.embedded.ports import Ports
from mlops_core.cli.stack.configuration import StackFiles
from mlops_core.cli.stack.images import STACK_IMAGE

PROJECT = Path(__file__).resolve().parents[4]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())[
    "services"
]
_SOCKET = "/var/run/docker.sock"
_SECRET = re.compile(r"\$\{\w*(PASSWORD|SECRET|KEY)\w*(?P<rest>[^}]*)\}")


def test_no_secret_has_a_default() -> None:
    text = (PROJECT / "docker-compose.yaml").read_text()
    uses = list(_SECRET.finditer(text))
    assert len(uses) > 10
    assert {use["rest"] for use in uses} == {"", ":?run mlops stack up"}


def words(value: object) -> list[str]:
    """What a command is made of, however it is written."""
    return [value] if isinstance(value, str) else list(value) if isinstance(value, list) else []


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_no_secret_is_in_a_command_line_which_every_user_of_the_machine_can_read(service: str) -> None:
    declared = SERVICES[service]
    said = [
        word
        for value in (
            declared.get("command"),
            declared.get("entrypoint"),
            declared.get("healthcheck", {}).get("test"),
        )
        for word in words(value)
    ]
    assert said
    assert [word for word in said if _SECRET.search(word)] == []


def test_redis_reads_its_password_from_its_input_and_becomes_the_containers_process(tmp_path: Path) -> None:
    server = tmp_path / "redis-server"
    server.write_text('#!/bin/sh\necho "$$ $*"\nexec cat\n')
    server.chmod(0o755)
    command = [word.replace("$$", "$") for word in SERVICES["redis"]["command"]]
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin", "REDISCLI_AUTH": "geheim-0_9"}

    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as started:
        output, _ = started.communicate(timeout=30)

    assert started.returncode == 0
    assert output.splitlines() == [
        f"{started.pid} - --appendonly yes --dir /data",
        "requirepass geheim-0_9",
    ]


def test_the_file_asks_for_nothing_that_stack_up_does_not_set_and_no_page_tells_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", (PROJECT / "docker-compose.yaml").read_text()))
    known = StackFiles(name="stack", folder=tmp_path).write_variables(ports=Ports(), gpus=0)
    documented = (PROJECT / "docs" / "configuration.md").read_text()
    assert {name for name in asked - set(known) if f"`{name}`" not in documented} == set()


def test_what_runs_is_the_image_that_stack_up_makes() -> None:
    images = {service["image"] for name, service in SERVICES.items() if name not in {"postgres", "redis"}}
    assert images == {STACK_IMAGE}


@pytest.mark.parametrize("service", sorted(set(SERVICES) - {"prepare"}))
def test_a_service_is_watched_bounded_and_contained(service: str) -> None:
    declared = SERVICES[service]
    assert declared["healthcheck"]["test"]
    assert "start_interval" not in declared["healthcheck"]
    assert declared["mem_limit"]
    assert declared["restart"] == "unless-stopped"
    assert declared["read_only"] is True
    assert declared["cap_drop"] == ["ALL"]
    assert declared["security_opt"] == ["no-new-privileges:true"]
    assert declared["init"] is True


def test_ports_are_open_to_this_machine_alone() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(published) == 3
    assert all(port.startswith("127.0.0.1:") for port in published)


@pytest.mark.parametrize("service", ["api-server", "worker", "training-worker", "triggerer"])
def test_links_to_mlflow_lead_to_the_port_that_this_machine_has(service: str) -> None:
    connection = json.loads(SERVICES[service]["environment"]["AIRFLOW_CONN_MLFLOW_DEFAULT"])
    (port,) = SERVICES["mlflow"]["ports"]
    assert connection["host"] == "http://mlflow"
    assert connection["extra"]["ui_url"] == f"http://{port.removesuffix(':5000')}"


def test_only_the_training_worker_has_the_engines_socket() -> None:
    holders = {
        name
        for name, service in SERVICES.items()
        if any(volume.endswith(_SOCKET) for volume in service.get("volumes", ()))
    }
    assert holders == {"training-worker"}


def mounts(service: str) -> dict[str, str]:
    """Where a service sees each named volume."""
    return dict(volume.split(":", 1) for volume in SERVICES[service].get("volumes", ()))


def test_only_the_worker_that_registers_versions_can_sign_them() -> None:
    environment = SERVICES["worker"]["environment"]
    folder = str(Path(environment["MLOPS_SIGNING_KEY"]).parent)
    holders = {service: mounts(service)["signing"] for service in SERVICES if "signing" in mounts(service)}
    assert holders == {"prepare": folder, "worker": f"{folder}:ro"}
    command = SERVICES["worker"]["command"]
    assert command[command.index("--queues") + 1] == "default"


def test_whoever_loads_versions_sees_the_public_keys_and_cannot_add_one() -> None:
    folder = SERVICES["worker"]["environment"]["MLOPS_TRUSTED_KEYS"]
    holders = {service: mounts(service)["trusted"] for service in SERVICES if "trusted" in mounts(service)}
    loaders = ("worker", "training-worker", "model-server")
    assert holders == {"prepare": folder, **dict.fromkeys(loaders, f"{folder}:ro")}
    assert {SERVICES[service]["environment"]["MLOPS_TRUSTED_KEYS"] for service in loaders} == {folder}
    assert "prepare" in SERVICES["model-server"]["depends_on"]


@pytest.mark.parametrize("folder", ["mlops-signing", "mlops-trusted"])
def test_the_image_gives_the_folders_of_keys_to_its_user(folder: str) -> None:
    lines = (PROJECT / "docker" / "airflow.Dockerfile").read_text().splitlines()
    assert any("chown 65532:65532" in line and folder in line for line in lines)


@pytest.mark.parametrize("worker", ["worker", "training-worker"])
def test_a_worker_does_not_know_what_only_the_control_plane_needs(worker: str) -> None:
    known = set(SERVICES[worker]["environment"])
    assert "AIRFLOW__CELERY__BROKER_URL" in known
    for variable in ("DATABASE__SQL_ALCHEMY_CONN", "CORE__FERNET_KEY", "API_AUTH__JWT_SECRET"):
        assert f"AIRFLOW__{variable}" in SERVICES["scheduler"]["environment"]
        assert f"AIRFLOW__{variable}" not in known


@pytest.mark.parametrize("service", ["worker", "training-worker", "dag-processor", "model-server"])
def test_the_code_in_the_image_is_known_by_its_commit(service: str) -> None:
    assert SERVICES[service]["environment"]["MLOPS_CODE_VERSION"] == "${MLOPS_CODE_VERSION:-}"


def test_tasks_are_told_how_many_slots_the_pool_of_gpus_is_given() -> None:
    slots = SERVICES["prepare"]["environment"]["MLOPS_GPU_SLOTS"]
    assert SERVICES["dag-processor"]["environment"]["MLOPS_GPU_SLOTS"] == slots == "${MLOPS_GPU_SLOTS:-0}"


def test_each_queue_has_its_worker() -> None:
    for worker, queue in (("worker", "default"), ("training-worker", "training")):
        command = SERVICES[worker]["command"]
        assert command[command.index("--queues") + 1] == queue
    assert SERVICES["dag-processor"]["environment"]["MLOPS_TRAINING_QUEUE"] == "training"
