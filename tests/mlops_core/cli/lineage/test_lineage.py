"""``mlops lineage``, as it is typed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lineage_examples import Records
from mlops_core.cli.main import app


@pytest.fixture
def told(
    records: Records, tmp_path: Path, local_tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> Records:
    """A version in production that has scored a partition; the environment names where that is."""
    monkeypatch.setenv("MLOPS_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    monkeypatch.setenv("MLOPS_DATA_URI", str(tmp_path / "data"))
    monkeypatch.setenv("MLOPS_TRACKING_URI", local_tracking_uri)
    for key in ("2013-01", "2013-02", "2013-03"):
        records.publish(key)
    version = records.trained(1, training=("2013-01",), holdout=("2013-02",))
    records.promote(version)
    records.deploy(version)
    records.score("2013-03", version=version)
    return records


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["lineage", *arguments])
    return result.exit_code, result.output


def test_without_a_choice_the_version_in_production_is_told(told: Records) -> None:
    code, output = run(told.model)

    assert code == 0
    assert f"{told.model} version 1" in output
    for words in ("training", "2013-01", "holdout", "2013-02", "in production", "deployed", "2013-03"):
        assert words in output


def test_a_partition_tells_who_saw_it(told: Records) -> None:
    code, output = run(told.model, "--partition", "2013-02")

    assert code == 0
    assert "judged on it" in output
    assert "trained on it  none" in output


def test_as_json_both_can_be_parsed(told: Records) -> None:
    version = json.loads(run(told.model, "--version", "1", "--json")[1])
    partition = json.loads(run(told.model, "--partition", "2013-03", "--json")[1])

    assert version["origin"]["partitions"][0]["partition"] == "2013-01"
    assert partition["scored"][0]["version"] == 1


def test_a_version_and_a_partition_at_once_are_used_wrongly(told: Records) -> None:
    code, output = run(told.model, "--version", "1", "--partition", "2013-03")

    assert code == 2
    assert "not both" in output


@pytest.mark.usefixtures("told")
def test_a_model_without_production_says_how_to_name_a_version() -> None:
    code, output = run("nobody")

    assert code == 1
    assert "--version" in output
