"""``mlops reproduce`` says the verdict in words or JSON, and its exit code says whether to worry."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mlops_core.cli.main import app
from mlops_core.cli.reproduction import command
from mlops_core.models.record import ModelRecord
from mlops_core.registry.ledger import Ledger
from mlops_core.reproduction.report import ReproductionReport
from mlops_core.reproduction.reproduce import reproduce_and_report


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """What the library was asked; it answers with the verdict that the test has put into the environment."""
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    with Ledger(f"sqlite:///{tmp_path / 'home' / 'ledger.db'}") as ledger:
        assert ledger.models() == ()
    monkeypatch.setenv("VERDICT", "identical")
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.syspath_prepend(str(tmp_path))
    calls: list[dict[str, Any]] = []

    def answer(model: str, version: int, **options: Any) -> ReproductionReport:
        calls.append({"model": model, "version": version, **options})
        return report(model, version)

    monkeypatch.setattr(command, "reproduce_and_report", answer)
    return calls


def report(model: str, version: int) -> ReproductionReport:
    return ReproductionReport(
        model=model,
        version=version,
        verdict=os.environ["VERDICT"],
        differences=("package numpy was 1 and is 2",),
        environment="recorded",
        recorded_run_id="first",
        run_id="second",
        rebuilt=ModelRecord(run_id="second", model_id="m-2", uri="models:/m-2", digest="d"),
        recorded_content="c",
        rebuilt_content="c",
        page="toy/reproduction/key/report.html",
    )


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["reproduce", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize(("verdict", "code"), [("identical", 0), ("equal", 0), ("different", 1)])
def test_the_exit_code_is_the_verdict(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, verdict: str, code: int
) -> None:
    monkeypatch.setenv("VERDICT", verdict)

    assert run("toy", "2")[0] == code
    assert (asked[0]["model"], asked[0]["version"], asked[0]["environment"]) == ("toy", 2, "recorded")


@pytest.mark.usefixtures("asked")
def test_differences_and_the_page_are_named() -> None:
    _, output = run("toy", "2")

    for word in (
        "toy version 2: identical",
        "package numpy was 1 and is 2",
        "toy/reproduction/key/report.html",
    ):
        assert word in output


@pytest.mark.usefixtures("asked")
def test_scripts_get_json_alone() -> None:
    _, output = run("toy", "2", "--json")

    assert json.loads(output)["verdict"] == "identical"


def test_each_call_asks_for_a_fit_of_its_own(asked: list[dict[str, Any]]) -> None:
    run("toy", "2", "--environment", "current")
    run("toy", "2")

    assert [call["environment"] for call in asked] == ["current", "recorded"]
    assert asked[0]["operation_key"] != asked[1]["operation_key"]


def test_an_unknown_environment_is_used_wrongly(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "reproduce_and_report", reproduce_and_report)

    code, output = run("toy", "2", "--environment", "yesterday")

    assert (code, asked) == (2, [])
    assert "the environment is 'yesterday'; give recorded or current" in output
