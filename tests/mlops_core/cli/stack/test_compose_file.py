"""What docker-compose.yaml promises, read as Docker Compose reads it."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    assert holders == {"prepare": folder, "worker": f"{folder}:ro", "model-server": f"{folder}:ro"}
    assert SERVICES["model-server"]["environment"]["MLOPS_TRUSTED_KEYS"] == folder
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


def test_each_queue_has_its_worker() -> None:
    for worker, queue in (("worker", "default"), ("training-worker", "training")):
        command = SERVICES[worker]["command"]
        assert command[command.index("--queues") + 1] == queue
    assert SERVICES["dag-processor"]["environment"]["MLOPS_TRAINING_QUEUE"] == "training"
