"""Transactions on the ledger's database, alike on SQLite and PostgreSQL."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from mlops_core.errors import CorruptedDataError, DeclarationError, LedgerUnavailableError
from mlops_core.registry.upgrade import BEGIN, BUSY_TIMEOUT_S, bring_up_to_date

_T = TypeVar("_T")


class Database:
    """The ledger's tables behind one URL.

    Nothing is opened until the first transaction, and each process opens its own engine, so an object that
    was made before a fork is safe after it.
    """

    def __init__(self, url: str) -> None:
        self._url = _check(url)
        self._engines: dict[int, Engine] = {}

    def require_present(self) -> None:
        """Check that there is a SQLite file, which the first transaction would make; a server is not asked.

        Raises
        ------
        LedgerUnavailableError
            If there is none.
        """
        if _is_sqlite(self._url) and not Path(str(self._url.database)).is_file():
            raise LedgerUnavailableError(
                f"there is no ledger at {self._url.database}; MLOPS_LEDGER_URL or MLOPS_HOME names another, "
                "and `mlops up` makes a new one"
            )

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
            bring_up_to_date(engine)
            engine = self._engines.setdefault(os.getpid(), engine)
        return engine.execution_options(**self._options(write=write))

    def _options(self, *, write: bool) -> dict[str, Any]:
        if _is_sqlite(self._url):
            # A transaction that reads and then writes must take the write lock at once: two that both read
            # first would each wait for the other.
            return {BEGIN: "BEGIN IMMEDIATE" if write else "BEGIN DEFERRED"}
        return {"isolation_level": "READ COMMITTED" if write else "REPEATABLE READ"}

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, InterfaceError, PoolTimeoutError, OSError) as error:
            # The tables may be gone with the file, or the server with its connections: begin anew next time.
            self.close()
            reason = getattr(error, "orig", None) or error
            raise LedgerUnavailableError(f"the ledger at {self._place} did not answer: {reason}") from error
        except DatabaseError as error:
            # SQLite tells of a damaged file by the class that the others derive from, and by no other.
            if type(error) is not DatabaseError:
                raise
            self.close()
            raise CorruptedDataError(
                f"the ledger at {self._place} is damaged: {error.orig}. Restore a backup of it, then compare "
                "it with what was noted elsewhere: `mlops audit verify`"
            ) from error

    @property
    def _place(self) -> str:
        return self._url.render_as_string(hide_password=True)


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
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000}")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        statement = connection.get_execution_options().get(BEGIN)
        if statement:
            connection.exec_driver_sql(statement)

    return engine
