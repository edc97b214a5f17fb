import pytest

from mlops_core.containers.address import EngineAddress
from mlops_core.errors import DeclarationError


def test_address_of_the_environment_is_that_of_dockers_own_client(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert EngineAddress.from_environment() == EngineAddress(url="unix:///var/run/docker.sock")

    monkeypatch.setenv("DOCKER_HOST", "tcp://gpu-machine:2376")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", "/certs")
    assert EngineAddress.from_environment() == EngineAddress(
        url="tcp://gpu-machine:2376", tls_folder="/certs"
    )


def test_address_survives_json() -> None:
    address = EngineAddress(url="tcp://gpu-machine:2376", tls_folder="/certs")

    assert EngineAddress.model_validate(address.model_dump(mode="json")) == address


@pytest.mark.parametrize(
    "fields", [{"url": "gpu-machine"}, {"url": "file:///x"}, {"url": "unix:///s", "tls_folder": "/c"}]
)
def test_address_that_is_none_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(DeclarationError):
        EngineAddress(**fields)


def test_an_address_that_is_given_keeps_the_environments_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///elsewhere.sock")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", "/certs")

    given = EngineAddress.from_environment("tcp://gpu-machine:2376")

    assert given == EngineAddress(url="tcp://gpu-machine:2376", tls_folder="/certs")
    assert EngineAddress.from_environment("unix:///own.sock") == EngineAddress(url="unix:///own.sock")
