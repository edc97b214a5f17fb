import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_core.cli.embedded import lifecycle
from mlops_core.cli.embedded.health import State
from mlops_core.cli.embedded.home import Home
from mlops_core.cli.embedded.lifecycle import EmbeddedPlatform
from mlops_core.cli.embedded.ports import Ports
from mlops_core.cli.embedded.processes import find
from mlops_core.cli.embedded.services import Ending, Service
from mlops_core.errors import PlatformError
from servers import free_port

pytestmark = pytest.mark.integration

WEB_SERVER = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
BROKEN = "import sys; sys.exit('the disk is full')"


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedPlatform]:
    (tmp_path / "dags").mkdir()
    monkeypatch.setenv("MLOPS_DAGS_FOLDER", str(tmp_path / "dags"))
    for name in ("MLOPS_AIRFLOW_PORT", "MLOPS_MLFLOW_PORT", "MLOPS_MODEL_SERVER_PORT"):
        monkeypatch.setenv(name, str(free_port()))
    platform = EmbeddedPlatform(Home(tmp_path / "home"))
    yield platform
    platform.down()


def web_server(ports: Ports) -> Service:
    return Service(
        name="web",
        title="Web server",
        command=(sys.executable, "-c", WEB_SERVER, str(ports.mlflow_port)),
        ending=Ending.SERVES_TASKS,
        url=ports.mlflow_url,
        port_field="mlflow_port",
        health_path="/",
    )


def broken() -> Service:
    return Service(
        name="broken", title="Broken", command=(sys.executable, "-c", BROKEN), ending=Ending.GIVES_TASKS
    )


def test_a_platform_is_up_when_every_service_is_healthy(
    platform: EmbeddedPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "services", lambda _, ports: (web_server(ports),))

    started = platform.up()

    assert started.started == ("web",)
    assert [status.state for status in platform.status()] == [State.HEALTHY]
    assert platform.up().started == ()
    assert platform.down().services == ("web",)
    assert platform.status() == ()


def test_a_service_that_ends_takes_what_was_started_with_it_and_shows_its_log(
    platform: EmbeddedPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "services", lambda _, ports: (web_server(ports), broken()))

    with pytest.raises(PlatformError, match="Broken ended while it started") as failure:
        platform.up()

    assert "the disk is full" in str(failure.value)
    record = platform.record()
    assert record is not None
    assert record.processes == {}


def test_what_ran_before_a_failed_start_keeps_running(
    platform: EmbeddedPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "services", lambda _, ports: (web_server(ports),))
    platform.up()
    monkeypatch.setattr(lifecycle, "services", lambda _, ports: (web_server(ports), broken()))

    with pytest.raises(PlatformError):
        platform.up()

    record = platform.record()
    assert record is not None
    assert list(record.processes) == ["web"]
    assert find(record.processes["web"]) is not None


def test_a_started_platform_keeps_its_ports_whatever_the_environment_says_later(
    platform: EmbeddedPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "services", lambda _, ports: (web_server(ports),))
    first = platform.up()
    monkeypatch.setenv("MLOPS_MLFLOW_PORT", str(free_port()))

    assert platform.up().ports == first.ports


def test_a_process_with_a_recorded_pid_that_is_not_ours_survives_down(
    platform: EmbeddedPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "services", lambda _, ports: (web_server(ports),))
    platform.up()
    record = platform.record()
    assert record is not None
    ours = record.processes["web"]
    forged = ours.model_copy(update={"pid": os.getpid()})
    lifecycle.write_record(platform.home, record.with_process("web", forged))

    platform.down()

    assert find(ours) is not None
    lifecycle.write_record(platform.home, record)
