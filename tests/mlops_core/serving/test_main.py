"""Starting the model server, where it cannot."""

import socket
from collections.abc import Iterator

import pytest

from mlops_core.serving.__main__ import listen, main
from mlops_core.serving.settings import ServerSettings


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def test_a_port_in_use_is_named_with_the_way_out(taken_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["--port", str(taken_port)])

    assert status == 2
    message = capsys.readouterr().err
    assert f"port {taken_port} on 127.0.0.1 is in use" in message
    assert "--port" in message


def test_a_port_that_cannot_be_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "65536"]) == 2
    assert "65536" in capsys.readouterr().err


def test_a_host_that_is_not_this_machine_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--host", "192.0.2.1", "--port", "0"]) == 2
    assert "192.0.2.1" in capsys.readouterr().err


def test_the_server_listens_on_this_machine_alone_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLOPS_SERVER_HOST", raising=False)
    with listen(ServerSettings().host, 0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
