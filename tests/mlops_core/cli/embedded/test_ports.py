import os
import socket
from collections.abc import Iterator

import pytest

from mlops_core.cli.embedded.ports import Ports, is_free, require_free
from mlops_core.errors import PlatformError


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


@pytest.fixture(autouse=True)
def _no_ports_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLOPS_AIRFLOW_PORT", "MLOPS_MLFLOW_PORT", "MLOPS_MODEL_SERVER_PORT"):
        monkeypatch.delenv(name, raising=False)


def test_ports_have_the_services_own_defaults() -> None:
    ports = Ports.from_environment()

    assert ports.airflow_url == "http://127.0.0.1:8080"
    assert ports.mlflow_url == "http://127.0.0.1:5000"
    assert ports.model_server_url == "http://127.0.0.1:8000"


def test_a_variable_moves_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_AIRFLOW_PORT", "9001")

    assert Ports.from_environment().airflow_url == "http://127.0.0.1:9001"


@pytest.mark.parametrize("value", ["many", "0", "70000", ""])
def test_a_variable_that_is_no_port_is_named_with_its_value(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("MLOPS_MLFLOW_PORT", value)

    with pytest.raises(PlatformError, match=rf"MLOPS_MLFLOW_PORT='{value}' is no port"):
        Ports.from_environment()


def test_two_services_cannot_share_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_MLFLOW_PORT", "8080")

    with pytest.raises(PlatformError, match="is named twice"):
        Ports.from_environment()


def test_a_taken_port_names_its_holder_and_a_free_one_instead(taken_port: int) -> None:
    with pytest.raises(PlatformError) as refusal:
        require_free(taken_port, setting="MLOPS_AIRFLOW_PORT")

    assert f"port {taken_port} is taken by" in str(refusal.value)
    assert f"(pid {os.getpid()})" in str(refusal.value)
    instead = int(str(refusal.value).rpartition("MLOPS_AIRFLOW_PORT=")[2])
    assert is_free(instead)


def test_a_free_port_is_accepted(taken_port: int) -> None:
    require_free(next(port for port in range(taken_port + 1, 65535) if is_free(port)), setting="X")
