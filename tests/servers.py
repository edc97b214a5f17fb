"""Real servers for integration tests: each on 127.0.0.1, on a free port, in a folder of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

_START_SECONDS = 240.0


class MlflowServer:
    """One `mlflow server` on SQLite and local artifacts, which a test may stop and start again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server and return when it answers; do nothing when it runs."""
        if self._process is not None:
            return
        arguments = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        stores = [
            f"--backend-store-uri=sqlite:///{self.folder / 'mlflow.db'}",
            f"--artifacts-destination={self.folder / 'artifacts'}",
        ]
        environment = {
            **os.environ,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
        }
        with (self.folder / "server.log").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *arguments, *stores],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # its worker processes end with it
            )
        self._wait_until_healthy()

    def stop(self) -> None:
        """End the server at once, as a crash would; do nothing when it is stopped."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    @contextlib.contextmanager
    def down(self) -> Iterator[None]:
        """Take the server away within the block."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.uri}/health", timeout=10).is_success:
                    return
            time.sleep(0.05)
        log = (self.folder / "server.log").read_text(errors="replace")[-2000:]
        self.stop()
        raise RuntimeError(f"the MLflow server did not come up at {self.uri}:\n{log}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    """A running MLflow server, shared by the session: use experiment and model names of your own.

    A test that takes it away does so with `with mlflow_server.down():`.
    """
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def local_tracking_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tracking store on SQLite without a server, for tests that need no network."""
    from mlflow import MlflowClient

    folder = tmp_path_factory.mktemp("tracking")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    with pytest.MonkeyPatch.context() as patch:
        # The store puts artifacts below the folder in which it is opened first.
        patch.chdir(folder)
        MlflowClient(tracking_uri=uri, registry_uri=uri).search_experiments()
    return uri
