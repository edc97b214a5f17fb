"""What goes wrong on the way to an engine and its registry, in the words that Airflow acts on."""

from types import SimpleNamespace
from typing import Any

import pytest
import requests
from airflow.providers.docker.hooks import docker as provider
from docker.errors import APIError, DockerException

from airflow_mlops.hooks.docker import connect_engine
from mlops_core.containers.address import EngineAddress
from mlops_core.errors import DeclarationError, DockerUnavailableError, ImageUnavailableError

ADDRESS = EngineAddress(url="tcp://gpu-machine:2375")


def refusing(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> None:
    """Let the engine answer to a sign-in with an error."""

    def login(**_: Any) -> None:
        if error is not None:
            raise error

    client = SimpleNamespace(ping=lambda: True, login=login)
    monkeypatch.setattr(provider, "APIClient", lambda **_: client)
    monkeypatch.setenv("AIRFLOW_CONN_REGISTRY", "docker://ada:secret@registry.example.org")


def answer(status: int, said: str) -> APIError:
    response = requests.Response()
    response.status_code = status
    return APIError(f"{status}", response=response, explanation=said)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, 'Get "https://registry.example.org/v2/": unauthorized: incorrect username or password'),
        (500, 'Get "https://registry.example.org/v2/": dial tcp: lookup registry: no such host'),
    ],
)
def test_a_registry_that_refuses_the_sign_in_is_for_a_person_to_mend(
    monkeypatch: pytest.MonkeyPatch, status: int, said: str
) -> None:
    refusing(monkeypatch, answer(status, said))

    with pytest.raises(DeclarationError, match=r"connection 'registry'.*correct it") as caught:
        connect_engine(ADDRESS, docker_conn_id="registry")

    assert "secret" not in str(caught.value)


def test_a_registry_that_does_not_answer_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    said = 'Get "https://registry.example.org/v2/": dial tcp 10.0.0.1:443: i/o timeout'
    refusing(monkeypatch, answer(500, said))

    with pytest.raises(ImageUnavailableError, match="i/o timeout"):
        connect_engine(ADDRESS, docker_conn_id="registry")


def test_a_connection_that_nobody_has_made_is_for_a_person_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    refusing(monkeypatch, None)

    with pytest.raises(DeclarationError, match="connection 'absent'"):
        connect_engine(ADDRESS, docker_conn_id="absent")


@pytest.mark.parametrize("error", [requests.ConnectionError("refused"), DockerException("no answer")])
def test_an_engine_that_goes_away_is_tried_again(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    refusing(monkeypatch, error)

    with pytest.raises(DockerUnavailableError, match="does not answer"):
        connect_engine(ADDRESS, docker_conn_id="registry")


@pytest.mark.parametrize("error", [requests.ConnectionError("refused"), DockerException("no engine")])
def test_an_engine_that_is_not_there_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def absent(**_: Any) -> None:
        raise error

    monkeypatch.setattr(provider, "APIClient", absent)

    with pytest.raises(DockerUnavailableError, match="does not answer"):
        connect_engine(ADDRESS, docker_conn_id="registry")
