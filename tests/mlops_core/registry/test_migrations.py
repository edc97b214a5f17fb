"""The tables come from migrations alone, whoever opens the ledger first and whatever it was before."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData, create_engine, insert, inspect, select, text

from ledger_decisions import promote
from mlops_core.errors import DeclarationError
from mlops_core.registry import migrations, upgrade
from mlops_core.registry.audit import verify
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.schema import REVISIONS, VERSION_TABLE, Base
from registry_examples import MODEL, recorded

OLD_LEDGER = Path(__file__).with_name("old_ledger.sql")
"""What the release before migrations wrote, with a clock that ran behind for a while."""


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    made = create_engine(ledger_url)
    yield made
    made.dispose()


@pytest.fixture
def old(database: str, engine: Engine, tmp_path: Path) -> Engine:
    """A ledger of that release."""
    path = tmp_path / ("ledger.db" if database == "sqlite" else "old.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(OLD_LEDGER.read_text())
    if database == "postgresql":
        copy_to_postgresql(create_engine(f"sqlite:///{path}"), engine)
    return engine


def copy_to_postgresql(source: Engine, target: Engine) -> None:
    tables = MetaData()
    tables.reflect(source)
    with target.begin() as connection, source.connect() as origin:
        connection.execute(text("SET TIME ZONE 'UTC'"))
        upgrade.run_migrations(connection, to="0001")
        connection.execute(text(f"DROP TABLE {VERSION_TABLE}"))
        for table in tables.sorted_tables:
            rows = [dict(row) for row in origin.execute(select(table)).mappings()]
            connection.execute(insert(table), rows)
            if "id" in table.columns:
                connection.execute(
                    text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), {len(rows)})")
                )
    source.dispose()


def tables_of(connection: Connection) -> set[str]:
    return {name for name in inspect(connection).get_table_names() if name.startswith("ledger_")}


def test_the_migrated_tables_are_those_that_the_code_declares(ledger: Ledger, engine: Engine) -> None:
    ledger.models()

    with engine.connect() as connection:
        assert tables_of(connection) == {*Base.metadata.tables, VERSION_TABLE}
        context = MigrationContext.configure(
            connection,
            opts={
                "version_table": VERSION_TABLE,
                "compare_type": True,
                # Other tests' and programs' tables in the same place are nobody's business.
                "include_name": lambda name, kind, _: kind != "table" or str(name).startswith("ledger_"),
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_the_code_names_every_revision_in_their_order() -> None:
    script = ScriptDirectory(str(Path(str(migrations.__file__)).parent))

    assert tuple(step.revision for step in script.walk_revisions())[::-1] == REVISIONS
    assert script.get_heads() == [REVISIONS[-1]]


def test_an_older_ledger_is_upgraded_and_its_past_is_sealed_in_its_order(old: Engine, ledger: Ledger) -> None:
    with old.connect() as connection:
        assert VERSION_TABLE not in tables_of(connection)

    trail = ledger.events(MODEL)

    assert [(event.kind, event.version, event.generation) for event in trail] == [
        ("register", 1, 0),
        ("promote", 1, 1),
        ("deploy", 1, 1),
        ("register", 2, 1),
        ("promote", 2, 2),
        ("deploy", 2, 2),
        ("roll_back", 1, 3),
        ("deploy", 1, 3),
        ("register", 3, 3),
    ]
    assert [event.kind for event in ledger.events("fares")] == ["register"]
    assert verify(ledger).findings == ()
    assert ledger.versions(MODEL)[0].signature is None


def test_an_upgraded_ledger_goes_on_where_it_was(old: Engine, ledger: Ledger) -> None:
    assert old.url.database

    recorded(ledger, 4)
    transition = promote(ledger, 4, expected=3)

    assert (transition.generation, transition.previous_version) == (4, 1)
    assert [event.sequence for event in ledger.events(MODEL)] == list(range(1, 12))
    assert verify(ledger).findings == ()


def test_an_upgrade_that_fails_changes_nothing(
    old: Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with old.connect() as connection:
        before = tables_of(connection)

    with monkeypatch.context() as patch:
        patch.setattr("mlops_core.registry.migrations.backfill.seal_the_past", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ledger.models()

    with old.connect() as connection:
        assert tables_of(connection) == before
        assert "signature" not in {
            column["name"] for column in inspect(connection).get_columns("ledger_versions")
        }
    assert verify(ledger).findings == ()


def test_a_ledger_that_is_newer_than_the_code_is_refused(
    ledger: Ledger, engine: Engine, ledger_url: str
) -> None:
    recorded(ledger, 1)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0999'"))  # noqa: S608

    with pytest.raises(DeclarationError, match=r"revision '0999', .* it knows 0001, 0002\. Use the release"):
        Ledger(ledger_url).models()


def test_a_ledger_that_is_up_to_date_is_opened_without_alembic(ledger: Ledger, ledger_url: str) -> None:
    recorded(ledger, 1)

    program = (
        "import sys; from mlops_core.registry.ledger import Ledger; "
        f"print(Ledger({ledger_url!r}).models(), 'alembic' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == f"('{MODEL}',) False"


@pytest.mark.parametrize("folder", ["100%", "two words", "é"])
def test_the_tables_are_made_below_any_folder(tmp_path: Path, folder: str) -> None:
    with Ledger(f"sqlite:///{tmp_path / folder / 'ledger.db'}") as ledger:
        assert ledger.models() == ()
