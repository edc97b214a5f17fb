"""Bringing a ledger's tables up to date, though other processes do the same at this moment."""

import threading
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from mlops_core.errors import DeclarationError
from mlops_core.registry.schema import REVISIONS, VERSION_TABLE

BEGIN = "mlops_begin"
"""Execution option that names the statement with which a SQLite transaction begins."""
BUSY_TIMEOUT_S = 30

_ADVISORY_LOCK = 7_204_061_733
"""Any number that no other program locks in the same PostgreSQL database."""
# Alembic keeps what it migrates in variables of its modules.
_one_at_a_time = threading.Lock()


def bring_up_to_date(engine: Engine) -> None:
    """Make the tables of a new ledger, migrate an older one, and leave one that is up to date alone.

    Raises
    ------
    DeclarationError
        If the ledger is newer than this code.
    """
    with engine.connect() as connection:
        if _is_current(connection):
            return
    # SQLite answers at once, and does not wait, when two processes change the journal's mode.
    for attempt in Retrying(
        retry=retry_if_exception(_is_clash),
        stop=stop_after_delay(BUSY_TIMEOUT_S),
        wait=wait_random(0, 0.1),
        reraise=True,
    ):
        with attempt:
            _migrate(engine)


def _is_current(connection: Connection) -> bool:
    present = _revision(connection)
    if present is not None and present not in REVISIONS:
        place = connection.engine.url.render_as_string(hide_password=True)
        raise DeclarationError(
            f"the ledger at {place} has tables of revision {present!r}, which this release does not know; "
            f"it knows {', '.join(REVISIONS)}. Use the release that made them, or a later one"
        )
    return present == REVISIONS[-1]


def _revision(connection: Connection) -> str | None:
    """Return the revision of the tables; None if there are none, or if they are older than migrations."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608
    return revision


def _is_clash(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and "locked" in str(error)


def _migrate(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        # Readers and the writer then do not wait for each other. The file remembers it.
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
    with _one_at_a_time, engine.execution_options(**{BEGIN: "BEGIN IMMEDIATE"}).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        if not _is_current(connection):
            run_migrations(connection)


def run_migrations(connection: Connection, *, to: str = REVISIONS[-1]) -> None:
    """Migrate the tables within the connection's open transaction."""
    # It takes a tenth of a second to import, and is needed once in a ledger's life and release.
    from alembic import command
    from alembic.config import Config

    configuration = Config()
    folder = str(Path(__file__).with_name("migrations"))
    configuration.set_main_option("script_location", folder.replace("%", "%%"))
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, to)
