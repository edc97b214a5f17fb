"""``python -m mlops_core.serving``: run the model server until it is told to stop."""

import argparse
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import NoReturn

from pydantic import ValidationError

from mlops_core.errors import DeclarationError
from mlops_core.serving.settings import ServerSettings
from mlops_core.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; 0 after a stop that was asked for, 2 when the address or a setting is of no use."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    parser = argparse.ArgumentParser(
        prog="python -m mlops_core.serving", description="Serve deployed models."
    )
    parser.add_argument("--host", help="address to listen on (default: MLOPS_SERVER_HOST or 127.0.0.1)")
    parser.add_argument("--port", type=int, help="default: MLOPS_SERVER_PORT or 8000; 0 takes any free port")
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    try:
        settings = ServerSettings(**given)
        listener = listen(settings.host, settings.port)
    except (OSError, ValidationError) as error:
        return _refuse_to_start(error)
    _bound_native_threads()
    signal.signal(signal.SIGTERM, _exit_cleanly)
    signal.signal(signal.SIGINT, _exit_cleanly)

    from mlops_core.serving.server import serve  # imports numpy, which reads the thread counts above

    host, port = listener.getsockname()[:2]
    logging.getLogger("mlops_core.serving").info("listening on http://%s:%d", host, port)
    try:
        serve(listener, settings=settings, places=Settings.from_environment())
    except DeclarationError as error:
        return _refuse_to_start(error)
    return 0


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to an address.

    Raises
    ------
    OSError
        With a message that names the address and the way out.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise OSError(
                f"port {port} on {host} is in use; stop what listens there or choose another with --port"
            ) from error
        raise OSError(f"cannot listen on {host}:{port}: {error}") from error
    return listener


def _refuse_to_start(error: Exception) -> int:
    sys.stderr.write(f"the model server cannot start: {error}\n")
    return 2


def _bound_native_threads() -> None:
    # Each prediction thread is one core's work; OpenMP teams on top of them fight for the same cores.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")


def _exit_cleanly(*_: object) -> NoReturn:
    # Uvicorn answers what is in flight, then raises the signal again, which would end the process as killed.
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
