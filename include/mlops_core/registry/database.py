"""Transactions on the ledger's database, alike on SQLite and PostgreSQL."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import (
    ArgumentError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random

from mlops_core.errors import DeclarationError, LedgerUnavailableError
from mlops_core.registry.schema import Base

_T = TypeVar("_T")

_BUSY_TIMEOUT_S = 30
_BEGIN = "mlops_begin"
"""Execution option that names the statement with which a SQLite transaction begins."""


class Database:
    """The ledger's tables behind one URL.

    Nothing is opened until the first transaction, and each process opens its own engine, so an object that
    was made before a fork is safe after it.
    """

    def __init__(self, url: str) -> None:
        self._url = _check(url)
        self._engines: dict[int, Engine] = {}

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a transaction that sees one consistent state and takes no lock."""
        with self._errors(), Session(self._engine(write=False)) as session:
            yield session

    def write(self, work: Callable[[Session], _T]) -> _T:
        """Commit what ``work`` does in one transaction, or nothing of it."""
        with self._errors():
            try:
                return self._commit(work)
            except IntegrityError:
                # Another process added the same row first: now it is there to be found.
                return self._commit(work)

    def close(self) -> None:
        """Close what this process opened; the next transaction opens it again."""
        engine = self._engines.pop(os.getpid(), None)
        if engine is not None:
            engine.dispose()

    def _commit(self, work: Callable[[Session], _T]) -> _T:
        with Session(self._engine(write=True)) as session, session.begin():
            return work(session)

    def _engine(self, *, write: bool) -> Engine:
        # Keyed by process: a connection that came through a fork is neither used nor closed by the child.
        engine = self._engines.get(os.getpid())
        if engine is None:
            engine = _open(self._url)
            _make_tables(engine)
            engine = self._engines.setdefault(os.getpid(), engine)
        return engine.execution_options(**self._options(write=write))

    def _options(self, *, write: bool) -> dict[str, Any]:
        if _is_sqlite(self._url):
            # A transaction that reads and then writes must take the write lock at once: two that both read
            # first would each wait for the other.
            return {_BEGIN: "BEGIN IMMEDIATE" if write else "BEGIN DEFERRED"}
        return {"isolation_level": "READ COMMITTED" if write else "REPEATABLE READ"}

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError, PoolTimeoutError, OSError) as error:
            # The tables may be gone with the file, or the server with its connections: begin anew next time.
            self.close()
            place = self._url.render_as_string(hide_password=True)
            reason = getattr(error, "orig", None) or error
            raise LedgerUnavailableError(f"the ledger at {place} did not answer: {reason}") from error


def _check(text: str) -> URL:
    """Return the URL if a ledger can live there."""
    try:
        url = make_url(text)
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        raise DeclarationError(
            f"not a database URL for a ledger: {error}; write sqlite:////folder/ledger.db "
            "or postgresql+psycopg2://user:password@host/database"
        ) from error
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise DeclarationError(f"a ledger lives in sqlite or postgresql; got {url.get_backend_name()!r}")
    if _is_sqlite(url) and url.database in {None, "", ":memory:"}:
        raise DeclarationError(
            "a ledger in memory is lost with its process; write sqlite:////folder/ledger.db"
        )
    return url


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _open(url: URL) -> Engine:
    serializer = partial(json.dumps, allow_nan=False, sort_keys=True)
    try:
        if not _is_sqlite(url):
            return create_engine(url, json_serializer=serializer, pool_pre_ping=True, pool_size=2)
    except ModuleNotFoundError as error:
        raise DeclarationError(f"the ledger's database driver is not installed: {error}") from error
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    # A SQLite connection is quick to open and must be open in no process that forks.
    engine = create_engine(url, json_serializer=serializer, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        # The driver would begin transactions by itself, and too late.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_S * 1000}")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        statement = connection.get_execution_options().get(_BEGIN)
        if statement:
            connection.exec_driver_sql(statement)

    return engine


def _make_tables(engine: Engine) -> None:
    """Make the tables that are missing, though other processes do the same at this moment."""
    wanted = set(Base.metadata.tables)
    with engine.connect() as connection:
        if wanted <= set(inspect(connection).get_table_names()):
            return
    clashes = retry_if_exception_type((OperationalError, ProgrammingError, IntegrityError))
    for attempt in Retrying(
        retry=clashes, stop=stop_after_delay(_BUSY_TIMEOUT_S), wait=wait_random(0, 0.1), reraise=True
    ):
        with attempt:
            _make_missing_tables(engine)


def _make_missing_tables(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        # Readers and the writer then do not wait for each other. The file remembers it.
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    with engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"}).begin() as connection:
        Base.metadata.create_all(connection)
