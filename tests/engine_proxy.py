"""A socket in front of a Docker engine, whose connections a test may cut."""

import contextlib
import socket
import threading
from pathlib import Path


class EngineProxy:
    """Passes everything between a Unix socket of its own and an engine's."""

    def __init__(self, engine: str, path: Path) -> None:
        self._engine = engine.removeprefix("unix://")
        self._path = path
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self._server: socket.socket | None = None
        self.accepted = 0

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    def start(self) -> None:
        """Accept connections, in a thread of its own."""
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(self._path))
        server.listen()
        self._server = server
        threading.Thread(target=self._accept, args=(server,), daemon=True).start()

    def cut(self) -> None:
        """Cut every connection; new ones are accepted."""
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Cut every connection and accept no more."""
        if self._server is not None:
            self._path.unlink()
            with contextlib.suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)
            self._server = None
        self.cut()

    def _accept(self, server: socket.socket) -> None:
        with server:
            while True:
                try:
                    near, _ = server.accept()
                except OSError:
                    return
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._engine)
                with self._lock:
                    self.accepted += 1
                    self._connections += [near, far]
                threading.Thread(target=self._connect, args=(near, far), daemon=True).start()

    def _connect(self, near: socket.socket, far: socket.socket) -> None:
        with near, far:
            back = threading.Thread(target=_pump, args=(far, near), daemon=True)
            back.start()
            _pump(near, far)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(65536):
            target.sendall(content)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
