"""A socket in front of the engine that can go away while the engine, and what runs on it, stays."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 65536


class EngineProxy:
    """Passes bytes on, both ways, for every connection."""

    def __init__(self, engine_url: str, *, path: Path) -> None:
        self._engine = urlsplit(engine_url)
        self._path = path
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self._shut()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"unix://{self._path}"

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Cut every connection, and take no new one within the block."""
        self._shut()
        try:
            yield
        finally:
            self._listen()

    def _listen(self) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self._path))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _shut(self) -> None:
        self._path.unlink(missing_ok=True)
        with self._lock:
            listener, self._listener = self._listener, None
            assert listener is not None
            _hang_up(listener)
            listener.close()
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
