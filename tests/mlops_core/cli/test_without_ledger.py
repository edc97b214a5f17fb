"""A command that reads the ledger makes none: an empty folder stays one that can be made a home."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlops_core.cli.main import app

COMMANDS = {
    "history": ("history", "flight_delay"),
    "at": ("at", "flight_delay", "2013-07-01"),
    "audit": ("audit", "verify"),
    "adopt": ("adopt", "flight_delay", "--reason", "urgent"),
    "lineage": ("lineage", "flight_delay"),
    "lineage of a partition": ("lineage", "flight_delay", "--partition", "2013-01"),
    "reproduce": ("reproduce", "flight_delay", "1"),
    "sign": ("keys", "sign", "flight_delay", "1", "--reason", "ours"),
}


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_command_that_finds_no_ledger_says_so_and_leaves_nothing(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    for name in ("MLOPS_LEDGER_URL", "MLOPS_DATA_URI", "MLOPS_REPORTS_PATH"):
        monkeypatch.delenv(name, raising=False)

    result = CliRunner(env={"COLUMNS": "300"}).invoke(app, list(arguments))

    told = " ".join(result.output.split())
    assert result.exit_code == 1, told
    assert f"there is no ledger at {tmp_path / 'home' / 'ledger.db'}" in told
    assert "MLOPS_LEDGER_URL or MLOPS_HOME" in told
    assert list(tmp_path.iterdir()) == []
