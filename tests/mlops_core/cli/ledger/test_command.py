"""What the command line tells of the ledger, in words that fit 100 columns and as JSON."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from ledger_decisions import approve, promote, roll_back
from mlops_core.cli.ledger import command
from mlops_core.cli.main import app
from mlops_core.registry.anchors import note_heads
from mlops_core.registry.ledger import Ledger, Transition
from mlops_core.reports import ReportStore
from registry_examples import MODEL, Clock, recorded


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture(autouse=True)
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReportStore:
    """Where the heads are noted, and nobody has noted any."""
    monkeypatch.setenv("MLOPS_REPORTS_PATH", str(tmp_path / "reports"))
    return ReportStore(tmp_path / "reports")


@pytest.fixture
def ledger(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    """Version 1 from 2 July 2013 on, version 2 from 3 July on, version 1 again from 4 July on."""
    monkeypatch.setenv("MLOPS_LEDGER_URL", f"sqlite:///{path}")
    monkeypatch.setattr(command.console, "width", 100)
    clock = Clock()
    with Ledger(f"sqlite:///{path}", clock=clock) as opened:
        recorded(opened, 1, 2)
        clock.forward(days=1)
        approve(opened, reason="[bold]looked[/] twice")
        promote(opened, 1, expected=0, approval="approve")
        clock.forward(days=1)
        promote(opened, 2, expected=1)
        clock.forward(days=1)
        roll_back(opened)
        yield opened


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_the_history_tells_every_transition_in_lines_that_fit(ledger: Ledger) -> None:
    assert ledger.models()

    code, output = run("history", MODEL)

    lines = output.splitlines()
    assert code == 0
    assert max(map(len, lines)) <= 100
    assert lines[0].split() == ["generation", "what", "version", "at", "(UTC)", "who", "why"]
    assert [line.split()[:3] for line in lines if line[:1].isdigit()] == [
        ["1", "promote", "1"],
        ["2", "promote", "2"],
        ["3", "roll", "back"],
    ]
    assert "2013-07-02 00:00:00" in output
    assert "approved by grace: [bold]looked[/]" in output, "what people wrote was taken for markup"


def test_the_whole_history_tells_every_event(ledger: Ledger) -> None:
    assert ledger.models()

    _, output = run("history", MODEL, "--all")

    told = [line.split()[1] for line in output.splitlines() if line[:1].isdigit()]
    assert told == ["register", "register", "approve", "promote", "promote", "roll"]


@pytest.mark.parametrize(("option", "entries"), [((), 3), (("--all",), 6)])
def test_the_history_as_json_can_be_parsed(ledger: Ledger, option: tuple[str, ...], entries: int) -> None:
    _, output = run("history", MODEL, "--json", *option)

    told = json.loads(output)
    assert len(told) == entries
    if not option:
        assert told == [past.model_dump(mode="json") for past in ledger.history(MODEL)]


def test_a_model_without_a_past_is_no_error_and_an_unknown_one_is(ledger: Ledger) -> None:
    recorded(ledger, 1, model="fares")

    assert run("history", "fares") == (0, "no version of fares was ever in production\n")
    code, output = run("history", "unheard_of")
    assert code == 2
    assert "the ledger knows no model 'unheard_of'; models it knows: fares, flight_delay" in " ".join(
        output.split()
    )


@pytest.mark.parametrize(
    ("date", "version"),
    [
        ("2013-07-01", None),
        ("2013-07-02", 1),
        ("2013-07-03", 2),
        ("2013-07-03T00:00Z", 2),
        ("2013-07-03T01:59:59+02:00", 1),
        ("2013-07-04", 1),
        ("2030-01-01", 1),
    ],
)
def test_a_date_is_answered_with_what_was_in_production_at_its_end(
    ledger: Ledger, date: str, version: int | None
) -> None:
    assert ledger.models()

    code, output = run("at", MODEL, date, "--json")

    told = json.loads(output)
    assert code == 0
    assert (told["version"] or {}).get("version") == version
    assert (told["transition"] or {}).get("version") == version


def test_the_answer_in_words_names_version_files_and_decision(ledger: Ledger) -> None:
    assert ledger.models()

    _, output = run("at", MODEL, "2013-07-02")

    assert "1 of flight_delay" in output
    assert "digest-1" in output
    assert "ada (promote)" in output
    assert "2013-07-02T23:59:59.999999+00:00" in output
    assert run("at", MODEL, "2013-06-30")[1].startswith(
        "no version of flight_delay was in production at 2013-06-30"
    )


@pytest.mark.parametrize(
    ("date", "said"),
    [
        ("yesterday", "not a date: 'yesterday'"),
        ("2013-07-03T00:00", "names no time zone; write 2013-07-03T00:00Z"),
    ],
)
def test_what_is_no_instant_is_refused_with_an_example(ledger: Ledger, date: str, said: str) -> None:
    assert ledger.models()

    code, output = run("at", MODEL, date)

    assert code == 2
    assert said in " ".join(output.split())


def test_a_sound_ledger_is_exit_code_0_and_shows_its_heads(ledger: Ledger) -> None:
    code, output = run("audit", "verify")

    assert code == 0
    assert "sound: 6 events of 1 models" in output
    assert f"head of {MODEL}: 6 {ledger.events(MODEL)[-1].hash}" in output
    _, as_json = run("audit", "verify", "--json")
    assert json.loads(as_json)["sound"] is True


def test_a_changed_ledger_is_exit_code_1_and_says_where_and_what(ledger: Ledger, path: Path) -> None:
    assert ledger.models()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE ledger_events SET actor = 'nobody' WHERE sequence = 4")

    code, output = run("audit", "verify")

    assert code == 1
    assert "not sound: 2 findings in 6 events" in output
    assert "the promote event was changed" in output
    # What comes behind the findings is to be copied, paths and hashes, and is never broken.
    findings, _, _ = output.partition("head of")
    assert max(map(len, findings.splitlines())) <= 100
    assert run("audit", "verify", "--json")[0] == 1


def test_an_earlier_report_is_the_anchor_of_a_later_audit(ledger: Ledger, path: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text(run("audit", "verify", "--json")[1])
    assert run("audit", "verify", "--anchors", str(kept))[0] == 0
    ledger.close()
    path.unlink()
    assert ledger.models() == (), "an empty one takes its place"

    code, output = run("audit", "verify", "--anchors", str(kept))

    assert code == 1
    assert "the end was cut off" in output


def test_an_audit_says_that_it_had_no_anchor(ledger: Ledger, reports: ReportStore) -> None:
    assert ledger.models()

    _, output = run("audit", "verify")

    assert f"no heads are noted in {reports.root}" in output
    assert "without an anchor an end that was cut off everywhere goes unseen" in output
    assert json.loads(run("audit", "verify", "--json")[1])["noted"] is None


def test_an_audit_compares_with_what_was_noted_and_says_of_when(
    ledger: Ledger, path: Path, reports: ReportStore
) -> None:
    noted = note_heads(ledger, reports=reports, clock=Clock())
    assert noted.signature is not None

    code, output = run("audit", "verify")

    assert code == 0
    assert (
        f"compared with the heads noted at 2013-07-01T00:00:00+00:00, signed by the key "
        f"{noted.signature.key_id}, in {reports.root}"
    ) in output
    assert "goes unseen" not in output
    assert json.loads(run("audit", "verify", "--json")[1])["noted"] == noted.model_dump(mode="json")

    ledger.close()
    path.unlink()
    assert ledger.models() == (), "an empty one takes its place"
    code, output = run("audit", "verify")
    assert code == 1
    assert "the end was cut off" in output


def test_a_given_report_is_compared_with_besides(
    ledger: Ledger, tmp_path: Path, reports: ReportStore
) -> None:
    note_heads(ledger, reports=reports, clock=Clock())
    kept = tmp_path / "kept.json"
    kept.write_text(json.dumps({"heads": {MODEL: [99, "hash"]}}))

    code, output = run("audit", "verify", "--anchors", str(kept))

    assert code == 1
    assert "names event 99" in " ".join(output.split())
    assert f"compared with {kept}" in output
    assert "compared with the heads noted at" in output


def test_an_audit_believes_no_note_that_was_changed(ledger: Ledger, reports: ReportStore) -> None:
    note_heads(ledger, reports=reports, clock=Clock())
    (file,) = reports.root.rglob("heads.json")
    file.write_text(file.read_text().replace('"at": "2013', '"at": "2014'))

    code, output = run("audit", "verify")

    assert code == 1
    assert "an older note was put in the place of a newer one" in " ".join(output.split())


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"heads": {"a": 1}}', '{"heads": {}}'])
def test_a_file_without_anchors_is_refused(ledger: Ledger, tmp_path: Path, content: str) -> None:
    assert ledger.models()
    (tmp_path / "kept.json").write_text(content)

    code, output = run("audit", "verify", "--anchors", str(tmp_path / "kept.json"))

    assert code == 2
    assert "make them with: mlops audit verify --json" in " ".join(output.split())


def test_an_audit_makes_no_ledger_where_there_is_none(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_LEDGER_URL", f"sqlite:///{path}")

    code, output = run("audit", "verify", "--json")

    assert code == 1
    assert "there is no ledger at" in " ".join(output.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_a_ledger_without_events_is_exit_code_1(
    path: Path, monkeypatch: pytest.MonkeyPatch, option: tuple[str, ...]
) -> None:
    monkeypatch.setenv("MLOPS_LEDGER_URL", f"sqlite:///{path}")
    with Ledger(f"sqlite:///{path}") as empty:
        assert empty.models() == ()

    code, output = run("audit", "verify", *option)

    assert code == 1
    if option:
        assert json.loads(output)["sound"] is False
    else:
        assert output.startswith("nothing to verify: the ledger has no events")


def test_what_the_database_holds_is_text_and_no_markup(ledger: Ledger, path: Path) -> None:
    assert ledger.models()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE ledger_events SET model = '[red]fares[/]' WHERE sequence = 6")
        connection.execute("UPDATE ledger_events SET version = '[blink]1[/]' WHERE sequence = 5")

    assert "head of [red]fares[/]: 6" in run("audit", "verify")[1]
    assert "[blink]1[/]" in " ".join(run("history", MODEL, "--all")[1].split())


def test_a_version_is_adopted_beside_the_embedded_platform_by_its_port_alone(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool]] = []

    def answer(model: str, *, client: MlflowClient, deploys: bool, **_: Any) -> Transition:
        asked.append((client.tracking_uri, deploys))
        return ledger.history(model)[-1]

    monkeypatch.setattr("mlops_core.registry.adoption.adopt_manual_change", answer)
    monkeypatch.delenv("MLOPS_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLOPS_MLFLOW_PORT", "5051")

    code, output = run("adopt", MODEL, "--reason", "urgent")

    assert (code, asked) == (0, [("http://127.0.0.1:5051", True)])
    assert f"version {ledger.history(MODEL)[-1].version} of {MODEL} was adopted by" in output


@pytest.mark.parametrize("command_line", ["history", "at", "adopt", "audit verify"])
def test_every_command_explains_itself(command_line: str) -> None:
    code, output = run(*command_line.split(), "--help")

    assert code == 0
    assert "Usage" in output
