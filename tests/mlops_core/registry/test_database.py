"""Where a ledger may live, what it does when its database does not answer, and that its SQL is portable."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

from mlops_core.errors import CorruptedDataError, DeclarationError, LedgerUnavailableError
from mlops_core.registry import database
from mlops_core.registry.audit import verify
from mlops_core.registry.database import Database
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.schema import Base, TransitionRow
from registry_examples import MODEL, Clock, recorded


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ledger.db", "not a database URL"),
        ("nonsense+driver://host/ledger", "not a database URL"),
        ("mysql://host/ledger", "lives in sqlite or postgresql; got 'mysql'"),
        ("sqlite://", "in memory is lost"),
        ("sqlite:///:memory:", "in memory is lost"),
    ],
)
def test_a_ledger_is_refused_where_none_can_live(url: str, said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        Ledger(url)


def test_making_a_ledger_opens_nothing(tmp_path: Path) -> None:
    Ledger(f"sqlite:///{tmp_path / 'new' / 'ledger.db'}")

    assert not (tmp_path / "new").exists()


def test_the_folder_and_the_tables_are_made_at_first_use_and_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'ledger.db'}"
    with Ledger(url) as ledger:
        recorded(ledger, 1)

    with Ledger(url) as again:
        assert again.models() == (MODEL,)
    with opened(tmp_path / "new" / "ledger.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_place_that_cannot_be_written_is_an_unavailable_ledger(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(LedgerUnavailableError, match="did not answer"):
        Ledger(f"sqlite:///{tmp_path / 'file' / 'ledger.db'}").models()


def test_readers_go_on_and_writers_give_up_while_somebody_holds_the_write_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0)
    path = tmp_path / "ledger.db"
    ledger = Ledger(f"sqlite:///{path}")
    recorded(ledger, 1)

    with opened(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert ledger.models() == (MODEL,)
        with pytest.raises(LedgerUnavailableError, match="database is locked"):
            recorded(ledger, 2)
        connection.execute("ROLLBACK")

    recorded(ledger, 2)
    assert len(ledger.versions(MODEL)) == 2


def test_a_file_that_is_no_database_is_a_damaged_ledger_with_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is not a database" * 100)
    ledger = Ledger(f"sqlite:///{path}")
    said = (
        f"the ledger at sqlite:///{path} is damaged: file is not a database. Restore a backup of it, "
        "then compare it with what was noted elsewhere: `mlops audit verify`"
    )

    for work in (ledger.models, lambda: recorded(ledger, 1), lambda: verify(ledger)):
        with pytest.raises(CorruptedDataError, match=re.escape(said)):
            work()


def test_pages_that_were_overwritten_are_a_damaged_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(f"sqlite:///{path}") as ledger:
        recorded(ledger, 1)
    with opened(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        # The first page holds what the tables are; all behind it is what they hold.
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))

    with pytest.raises(CorruptedDataError, match="is damaged: "):
        Ledger(f"sqlite:///{path}").models()


def test_a_ledger_whose_file_was_deleted_fails_once_and_begins_anew(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    recorded(ledger, 1)
    for file in tmp_path.iterdir():
        file.unlink()

    with pytest.raises(LedgerUnavailableError, match="no such table"):
        ledger.models()

    assert ledger.models() == ()


def test_a_transaction_that_fails_leaves_nothing(ledger: Ledger) -> None:
    recorded(ledger, 1)

    with pytest.raises(DeclarationError):
        ledger.record_version(
            ledger.versions(MODEL)[0].model_copy(update={"model": "fares"}),
            operation_key=f"register/{MODEL}/1",
            actor="train",
        )

    assert ledger.models() == (MODEL,)


def test_the_database_itself_holds_one_transition_a_generation_and_only_of_versions_it_knows(
    ledger: Ledger, ledger_url: str, clock: Clock
) -> None:
    recorded(ledger, 1)

    def add(version: int, key: str) -> None:
        row = {
            "model": MODEL,
            "generation": 1,
            "kind": "promote",
            "version": version,
            "digest": "digest",
            "evidence_digest": "evidence",
            "actor": "ada",
            "reason": "",
            "operation_key": key,
            "at": clock.now,
        }
        Database(ledger_url).write(lambda session: session.execute(insert(TransitionRow), [row]))

    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        add(2, "unknown version")
    add(1, "first")
    with pytest.raises(IntegrityError, match=r"UNIQUE .*generation"):
        add(1, "second")


def test_a_refused_address_keeps_its_password_to_itself() -> None:
    with pytest.raises(DeclarationError) as refused:
        Ledger("postgresql+missing://user:secret@host/ledger")

    assert "secret" not in str(refused.value)


def test_the_tables_can_be_made_on_postgresql() -> None:
    dialect = postgresql.dialect()

    statements = {
        name: str(CreateTable(table).compile(dialect=dialect)) for name, table in Base.metadata.tables.items()
    }

    assert len(statements) == 12
    assert all(
        "TIMESTAMP WITH TIME ZONE" in statements[name] for name in statements.keys() - {"ledger_models"}
    )
