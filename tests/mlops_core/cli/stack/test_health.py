import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from mlops_core.cli.stack.health import main

HEALTH = {
    "scheduler": {"status": "healthy"},
    "triggerer": {"status": "unhealthy"},
    "dag_processor": {"status": None},
}


class _Monitor(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()
        self.wfile.write(json.dumps(HEALTH).encode())

    def log_message(self, *arguments: object) -> None:
        del arguments


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Monitor)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["/health"], 0),
        (["/health", "scheduler"], 0),
        (["/health", "triggerer"], 1),
        (["/health", "dag_processor"], 1),
        (["/health", "webserver"], 1),
        (["/broken"], 1),
    ],
)
def test_only_what_says_that_it_is_healthy_is(address: str, arguments: list[str], code: int) -> None:
    assert main([address + arguments[0], *arguments[1:]]) == code


def test_what_does_not_listen_is_not_healthy() -> None:
    assert main(["http://127.0.0.1:1/health"]) == 1
