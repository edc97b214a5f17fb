"""Whatever is done to the database behind the ledger's back is found, and named."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text

from ledger_decisions import adopt, approve, deploy, promote, reject, retire, roll_back, signed
from mlops_core.errors import LedgerUnavailableError
from mlops_core.registry import chain, events
from mlops_core.registry.audit import AuditReport, verify
from mlops_core.registry.ledger import Ledger
from registry_examples import MODEL, Clock, recorded


@pytest.fixture
def lived(ledger: Ledger, clock: Clock) -> Ledger:
    """A model with ten events, of every kind, and another model with one."""
    recorded(ledger, 1)
    approve(ledger)
    promote(ledger, 1, expected=0, approval="approve")
    clock.forward(hours=1)
    deploy(ledger, 1, expected=1)
    signed(ledger, 2)
    adopt(ledger, 2, expected=1)
    reject(ledger, 2, expected=1)
    roll_back(ledger)
    recorded(ledger, 3)
    retire(ledger, 2)
    recorded(ledger, 1, model="fares")
    return ledger


@pytest.fixture
def behind(lived: Ledger, ledger_url: str) -> Iterator[Connection]:
    """A connection of somebody who may write the database."""
    assert lived.models()
    engine = create_engine(ledger_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def found(ledger: Ledger, **options: Any) -> list[tuple[str, int | None, str]]:
    return [(f.model, f.sequence, f.problem) for f in verify(ledger, **options).findings]


def change(connection: Connection, statement: str, **values: object) -> None:
    assert connection.execute(text(statement), values).rowcount > 0
    connection.commit()


def test_a_ledger_that_only_the_ledger_wrote_is_sound(lived: Ledger) -> None:
    report = verify(lived)

    assert report == AuditReport(
        models=("fares", MODEL),
        events=11,
        heads={
            "fares": (1, lived.events("fares")[-1].hash),
            MODEL: (10, lived.events(MODEL)[-1].hash),
        },
        findings=(),
    )
    assert report.sound


def test_an_empty_ledger_is_nothing_that_could_be_sound(ledger: Ledger) -> None:
    assert ledger.models() == ()

    report = verify(ledger)

    assert report == AuditReport(models=(), events=0, heads={}, findings=())
    assert not report.sound


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with (
        Ledger(f"sqlite:///{tmp_path / 'nowhere' / 'ledger.db'}") as nowhere,
        pytest.raises(LedgerUnavailableError, match="there is no ledger at"),
    ):
        verify(nowhere)

    assert not (tmp_path / "nowhere").exists()


UNREADABLE = [
    ("ledger_events", "at", "sequence = 3"),
    ("ledger_events", "sequence", "sequence = 3"),
    ("ledger_approvals", "at", "version = 2"),
    ("ledger_transitions", "generation", "generation = 2"),
    ("ledger_deployments", "share", "revision = 1"),
    ("ledger_versions", "signature", "version = 1"),
]


@pytest.mark.parametrize(("table", "field", "which"), UNREADABLE)
def test_a_row_that_cannot_be_read_is_a_finding_of_its_model(
    lived: Ledger, behind: Connection, table: str, field: str, which: str
) -> None:
    if behind.dialect.name != "sqlite":
        pytest.skip("this database keeps no value of another type")
    change(behind, f"UPDATE {table} SET {field} = 'soon' WHERE model = :m AND {which}", m=MODEL)  # noqa: S608

    report = verify(lived)

    assert {finding.model for finding in report.findings} == {MODEL}
    assert "a row holds what the ledger never wrote" in report.findings[-1].problem
    assert report.heads["fares"] == (1, lived.events("fares")[-1].hash)


FIELDS = {
    "kind": "'adopt'",
    "version": "2",
    "generation": "7",
    "digest": "'forged'",
    "evidence_digest": "NULL",
    "actor": "'nobody'",
    "reason": "''",
    "operation_key": "'another'",
    "at": "'2012-01-01 00:00:00.000000'",
    "former_hash": "'00'",
}


@pytest.mark.parametrize("field", FIELDS)
def test_a_changed_field_of_an_event_is_found(lived: Ledger, behind: Connection, field: str) -> None:
    change(
        behind,
        f"UPDATE ledger_events SET {field} = {FIELDS[field]} WHERE model = :model AND sequence = 3",  # noqa: S608
        model=MODEL,
    )

    assert (MODEL, 3) in [
        (model, sequence) for model, sequence, problem in found(lived) if "changed" in problem
    ]


def test_a_changed_hash_is_found_where_it_is_and_where_it_is_followed(
    lived: Ledger, behind: Connection
) -> None:
    change(behind, "UPDATE ledger_events SET hash = 'ff' WHERE model = :model AND sequence = 3", model=MODEL)

    assert [(sequence, problem.split(":")[0]) for _, sequence, problem in found(lived)] == [
        (3, "the promote event was changed"),
        (4, "it does not follow the event before it"),
    ]


def test_a_changed_event_that_was_sealed_anew_no_longer_fits_its_row_nor_its_follower(
    lived: Ledger, behind: Connection
) -> None:
    event = lived.events(MODEL)[2]
    forged = event.model_copy(update={"actor": "nobody"})
    change(
        behind,
        "UPDATE ledger_events SET actor = 'nobody', hash = :hash WHERE model = :model AND sequence = 3",
        model=MODEL,
        hash=events.sealed(forged),
    )

    problems = found(lived)

    assert [sequence for _, sequence, _ in problems] == [4, 3]
    assert "actor: 'ada', not 'nobody'" in problems[1][2]


@pytest.mark.parametrize("sequence", [1, 3, 4])
def test_a_removed_event_leaves_a_gap_and_a_row_without_event(
    lived: Ledger, behind: Connection, sequence: int
) -> None:
    change(behind, "DELETE FROM ledger_events WHERE model = :m AND sequence = :s", m=MODEL, s=sequence)

    (gap, orphan) = found(lived)

    assert gap == (MODEL, sequence + 1, f"event {sequence} before it was removed")
    assert orphan[:2] == (MODEL, None)
    assert "has no event" in orphan[2]


def test_an_inserted_event_has_no_row_though_its_hash_is_right(lived: Ledger, behind: Connection) -> None:
    last = lived.events(MODEL)[-1]
    content = {
        **events.said_by(last),
        "operation_key": "inserted",
        "sequence": last.sequence + 1,
        "former_hash": last.hash,
    }
    row = {**content, "hash": chain.seal(content)}
    columns = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    row["at"] = str(row["at"]).replace("+00:00", ".000000")
    change(behind, f"INSERT INTO ledger_events ({columns}) VALUES ({values})", **row)  # noqa: S608

    assert found(lived) == [
        (MODEL, 11, "the retire event 'inserted' has no row: it was added, or the row removed")
    ]


def test_a_tail_that_was_cut_off_leaves_rows_without_events(lived: Ledger, behind: Connection) -> None:
    change(behind, "DELETE FROM ledger_events WHERE model = :model AND sequence > 8", model=MODEL)

    assert [problem.split(" (")[0] for _, _, problem in found(lived)] == [
        "the registration 'register/flight_delay/3'",
        "the retirement 'retire/2'",
    ]


def test_a_tail_that_was_cut_off_everywhere_is_found_by_an_anchor_alone(
    lived: Ledger, behind: Connection
) -> None:
    anchors = verify(lived).heads
    change(behind, "DELETE FROM ledger_events WHERE model = :model AND sequence = 10", model=MODEL)
    change(behind, "DELETE FROM ledger_retirements WHERE model = :model", model=MODEL)

    assert found(lived) == []
    assert found(lived, anchors=anchors) == [
        (MODEL, 10, "the anchor names event 10, but the last one is 9: the end was cut off")
    ]


def test_a_chain_that_was_made_anew_is_found_by_an_anchor(lived: Ledger) -> None:
    ((_, sequence, problem),) = found(lived, anchors={MODEL: (3, "another hash")})

    assert sequence == 3
    assert "the anchor names the hash another hash" in problem
    assert "the chain was made anew" in problem


def test_a_model_that_is_gone_is_found_by_its_anchor(lived: Ledger) -> None:
    assert found(lived, anchors={"gone": (2, "hash")}) == [
        ("gone", 2, "the anchor names event 2, but the last one is 0: the end was cut off")
    ]


ROWS = {
    "ledger_versions": ("digest", "uri", "run_id", "evidence_digest", "actor"),
    "ledger_transitions": ("digest", "evidence_digest", "actor", "reason"),
    "ledger_approvals": ("evidence_digest", "actor", "reason"),
    "ledger_retirements": ("archive", "archive_digest", "actor", "reason"),
    "ledger_deployments": ("actor",),
}
ONE = {
    "ledger_models": "name = :m",
    "ledger_versions": "model = :m AND version = 1",
    "ledger_transitions": "model = :m AND generation = 2",
    "ledger_approvals": "model = :m AND version = 2",
    "ledger_retirements": "model = :m AND version = 2",
    "ledger_deployments": "model = :m AND revision = 1",
}
TEXTS = [(table, field) for table, fields in ROWS.items() for field in fields]
NUMBERS = [
    ("ledger_transitions", "beneath"),
    ("ledger_transitions", "previous_version"),
    ("ledger_approvals", "generation"),
    ("ledger_deployments", "revision"),
    ("ledger_deployments", "share"),
    ("ledger_deployments", "generation"),
    ("ledger_models", "generation"),
]


@pytest.mark.parametrize(("table", "field"), [*TEXTS, *NUMBERS])
def test_a_changed_row_is_found(lived: Ledger, behind: Connection, table: str, field: str) -> None:
    value = "'forged'" if (table, field) in TEXTS else "0.5" if field == "share" else "9"
    change(behind, f"UPDATE {table} SET {field} = {value} WHERE {ONE[table]}", m=MODEL)  # noqa: S608

    problems = found(lived)

    assert problems
    assert {model for model, _, _ in problems} == {MODEL}


def test_a_row_that_was_added_has_no_event(lived: Ledger, behind: Connection) -> None:
    change(
        behind,
        "INSERT INTO ledger_approvals (model, version, generation, evidence_digest, verdict, actor, reason, "
        "operation_key, at) VALUES (:m, 3, 3, 'evidence-3', 'approve', 'mallory', 'because', 'forged', "
        "'2013-07-01 00:00:00.000000')",
        m=MODEL,
    )

    assert found(lived) == [
        (
            MODEL,
            None,
            "the approval 'forged' (version 3) has no event: it was removed, or the row was added by hand",
        )
    ]


def test_a_version_that_was_removed_is_found_by_all_that_refer_to_it(
    lived: Ledger, behind: Connection
) -> None:
    free = {"sqlite": "PRAGMA foreign_keys = OFF", "postgresql": "SET session_replication_role = replica"}
    behind.execute(text(free[behind.dialect.name]))
    change(behind, "DELETE FROM ledger_versions WHERE model = :m AND version = 2", m=MODEL)

    problems = [problem for _, _, problem in found(lived)]

    assert any("the register event 'register/flight_delay/2' has no row" in problem for problem in problems)
    assert any("the retirement 'retire/2' (version 2) differs" in problem for problem in problems)


def test_an_event_that_was_repeated_is_found_though_nothing_forbids_it_any_more(
    lived: Ledger, behind: Connection
) -> None:
    if behind.dialect.name == "sqlite":
        behind.execute(text("CREATE TABLE copied AS SELECT * FROM ledger_events"))
        behind.execute(text("DROP TABLE ledger_events"))
        behind.execute(text("ALTER TABLE copied RENAME TO ledger_events"))
    else:
        behind.execute(text("ALTER TABLE ledger_events DROP CONSTRAINT ledger_events_kind_operation_key_key"))
    behind.commit()
    last = lived.events(MODEL)[-1]
    row = {**events.said_by(last), "sequence": 11, "former_hash": last.hash}
    row["hash"] = chain.seal(row)
    columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    row |= {"at": "2013-07-01 01:00:00.000000+00:00"[: 26 if behind.dialect.name == "sqlite" else None]}
    change(behind, f"INSERT INTO ledger_events (id, {columns}) VALUES (99, {values})", **row)  # noqa: S608

    assert (MODEL, 11, "the retire event 'retire/2' is there twice") in found(lived)


@pytest.fixture
def returned(ledger: Ledger) -> Ledger:
    """Versions 1 to 4 promoted, 2 retired, rolled back to 3 and, past 2, to 1."""
    recorded(ledger, 1, 2, 3, 4)
    for version in (1, 2, 3, 4):
        promote(ledger, version, expected=version - 1)
    retire(ledger, 2)
    assert [roll_back(ledger, key).version for key in ("first", "second")] == [3, 1]
    return ledger


def test_a_roll_back_past_a_retired_version_is_sound(returned: Ledger) -> None:
    assert found(returned) == []
    promote(returned, 4, expected=6)
    assert roll_back(returned, "third").version == 1
    assert found(returned) == []


def test_a_roll_back_past_the_version_that_it_takes_away_is_sound(ledger: Ledger) -> None:
    recorded(ledger, 1, 2, 3, 4)
    for expected, version in enumerate((1, 2, 3, 2)):
        promote(ledger, version, expected=expected)
    # What the next roll back returns to stays in use, so it is moved down before it is retired.
    promote(ledger, 4, expected=4)
    retire(ledger, 3)
    roll_back(ledger, "first")

    assert roll_back(ledger, "second").version == 1
    assert found(ledger) == []


def test_a_retirement_that_came_after_a_roll_back_does_not_excuse_it(ledger: Ledger, ledger_url: str) -> None:
    recorded(ledger, 1, 2, 3, 4)
    for version in (1, 2, 3):
        promote(ledger, version, expected=version - 1)
    roll_back(ledger)
    promote(ledger, 3, expected=4)
    promote(ledger, 4, expected=5)
    retire(ledger, 2)
    engine = create_engine(ledger_url)
    with engine.connect() as behind:
        forge_roll_back(behind, ledger, generation=4, version=1)
    engine.dispose()

    assert (MODEL, None, "the transition to generation 4 does not follow from those before it") in found(
        ledger
    )


def test_a_roll_back_past_a_version_that_was_not_retired_is_found(ledger: Ledger, ledger_url: str) -> None:
    recorded(ledger, 1, 2, 3)
    for version in (1, 2, 3):
        promote(ledger, version, expected=version - 1)
    roll_back(ledger)
    engine = create_engine(ledger_url)
    with engine.connect() as behind:
        forge_roll_back(behind, ledger, generation=4, version=1)
    engine.dispose()

    assert found(ledger) == [
        (MODEL, None, "the transition to generation 4 does not follow from those before it")
    ]


def forge_roll_back(connection: Connection, ledger: Ledger, *, generation: int, version: int) -> None:
    """Make a roll back return to another version, with a chain made anew that agrees with it."""
    target = ledger.version(MODEL, version)
    values = {"v": version, "d": target.digest, "e": target.evidence_digest, "m": MODEL, "g": generation}
    forged = "version = :v, digest = :d, evidence_digest = :e"
    which = "WHERE model = :m AND generation = :g AND kind = 'roll_back'"
    change(connection, f"UPDATE ledger_transitions SET {forged}, beneath = NULL {which}", **values)  # noqa: S608
    change(connection, f"UPDATE ledger_events SET {forged} {which}", **values)  # noqa: S608
    former = chain.genesis(MODEL)
    for event in ledger.events(MODEL):
        linked = event.model_copy(update={"former_hash": former})
        former = events.sealed(linked)
        change(
            connection,
            "UPDATE ledger_events SET former_hash = :f, hash = :h WHERE model = :m AND sequence = :s",
            f=linked.former_hash,
            h=former,
            m=MODEL,
            s=event.sequence,
        )
