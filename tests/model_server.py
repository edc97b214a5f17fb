"""The real model server in a process of its own, for integration tests."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mlops_core.errors import ModelServerUnavailableError
from mlops_core.serving.client import ModelServer
from servers import free_port

_START_SECONDS = 90.0


class ModelServerProcess:
    """``python -m mlops_core.serving`` over the state in one home."""

    def __init__(self, home: Path, *, tracking_uri: str, **variables: str) -> None:
        self.port = free_port()
        self.log = home / "model-server.log"
        home.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "MLOPS_HOME": str(home),
            "MLOPS_TRACKING_URI": tracking_uri,
            "MLOPS_SERVER_POLL_INTERVAL_S": "0.05",
            **variables,
        }
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlops_core.serving", "--port", str(self.port)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        with ModelServer(self.url) as client:
            while time.monotonic() < deadline and self.process.poll() is None:
                try:
                    client.ready()
                except ModelServerUnavailableError:
                    time.sleep(0.05)
                else:
                    return
        self.kill()
        raise RuntimeError(
            f"the model server did not come up:\n{self.log.read_text(errors='replace')[-2000:]}"
        )

    def terminate(self) -> int:
        """Ask it to stop, and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
