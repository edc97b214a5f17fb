"""A socket in front of a Docker engine that can go away, while the engine and what runs on it stay."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 65536


class EngineProxy:
    """Passes bytes on, both ways, for every connection to a Unix socket of its own.

    ``accepted`` counts the connections that it took.
    """

    def __init__(self, engine_url: str, path: Path) -> None:
        self._engine = urlsplit(engine_url)
        self._path = path
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.accepted = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"unix://{self._path}"

    def start(self) -> None:
        """Accept connections, in a thread of its own."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self._path))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Cut every connection; new ones are accepted."""
        with self._lock:
            self._cut()

    def stop(self) -> None:
        """Cut every connection and accept no more; does nothing where none are accepted."""
        self._path.unlink(missing_ok=True)
        with self._lock:
            if self._listener is not None:
                _hang_up(self._listener)
                self._listener.close()
                self._listener = None
            self._cut()

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Cut every connection, and take no new one within the block."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def _cut(self) -> None:
        for connection in self._open:
            _hang_up(connection)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client, listener), daemon=True).start()

    def _serve(self, client: socket.socket, listener: socket.socket) -> None:
        with client, self._connect() as engine:
            with self._lock:
                if listener is not self._listener:
                    return
                self.accepted += 1
                self._open |= {client, engine}
            answers = threading.Thread(target=_pump, args=(engine, client), daemon=True)
            answers.start()
            _pump(client, engine)
            answers.join()
            with self._lock:
                self._open -= {client, engine}

    def _connect(self) -> socket.socket:
        if self._engine.scheme == "unix":
            engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            engine.connect(self._engine.path)
            return engine
        return socket.create_connection((self._engine.hostname, self._engine.port))


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)


def _hang_up(connection: socket.socket) -> None:
    # Closing alone does not wake a thread that waits on it.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
