"""A private PostgreSQL for tests: a cluster of its own in a temporary folder, on a free port of 127.0.0.1."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from servers import free_port

_DEBIAN = Path("/usr/lib/postgresql")
_USER = "mlops"
_WAIT_S = 120


class PostgresServer:
    """One cluster. PostgreSQL refuses to run as root, so there it runs as an unprivileged user."""

    def __init__(self) -> None:
        self._programs = _find_programs()
        self._port = free_port()
        self._owner = _unprivileged() if os.getuid() == 0 else None
        # A folder that the owner can reach, with a path short enough for a socket's name.
        self._folder = Path(tempfile.mkdtemp(prefix="mlops-pg-", dir="/tmp"))
        if self._owner is not None:
            os.chown(self._folder, self._owner.pw_uid, self._owner.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql+psycopg2://{_USER}@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Make the cluster, start the server and return when it answers."""
        data = self._folder / "data"
        self._run(
            "initdb", "--pgdata", data, "--username", _USER, "--auth=trust", "--no-sync", "--encoding=UTF8"
        )
        # A test's data need not survive the machine's power.
        settings = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200"]
        places = [
            f"unix_socket_directories={self._folder}",
            "listen_addresses=127.0.0.1",
            f"port={self._port}",
        ]
        arguments = [part for setting in (*settings, *places) for part in ("-c", setting)]
        with (self._folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", data, *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                **self._as_owner(),
            )
        self._wait()

    def stop(self) -> None:
        """End the server and its sessions, and delete the cluster."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)  # nothing of it is kept
            self._process.wait(_WAIT_S)
        shutil.rmtree(self._folder, ignore_errors=True)

    def make_schema(self) -> str:
        """Make an empty schema and return the URL of sessions that see it alone: quicker than a database."""
        name = f"ledger_{uuid.uuid4().hex[:12]}"
        engine = create_engine(self.url)
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {name}"))
        engine.dispose()
        return f"{self.url}?options=-csearch_path%3D{name}"

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._folder,
            **self._as_owner(),
        )

    def _as_owner(self) -> dict[str, object]:
        if self._owner is None:
            return {}
        return {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}

    @retry(
        retry=retry_if_exception_type(OSError),
        stop=stop_after_delay(_WAIT_S),
        wait=wait_fixed(0.05),
        reraise=True,
    )
    def _wait(self) -> None:
        ready = subprocess.run(
            [self._programs / "pg_isready", "--quiet", "--host=127.0.0.1", f"--port={self._port}"],
            check=False,
        )
        if ready.returncode:
            log = (self._folder / "server.log").read_text(errors="replace")[-2000:]
            raise ConnectionError(f"PostgreSQL did not come up:\n{log}")


def _find_programs() -> Path:
    """Return the folder of the newest PostgreSQL; Debian keeps it out of the path."""
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = shutil.which("initdb")
    if versions:
        return versions[-1].parent
    if found:
        return Path(found).resolve().parent
    raise RuntimeError(
        "no PostgreSQL server is installed; install the package postgresql, or run through .ci/with-engine, "
        "which does so as root on Debian"
    )


def _unprivileged() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL, shared by the session."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """An empty place for tables, of the test's own."""
    return postgres_server.make_schema()
