"""Keys are made and listed by the command line, in words and as JSON."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlops_core.cli.embedded.home import Home
from mlops_core.cli.main import app
from mlops_core.signing.keys import read_public_keys


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.delenv("MLOPS_SIGNING_KEY")
    monkeypatch.delenv("MLOPS_TRUSTED_KEYS")
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path / "home"))
    return Home(tmp_path / "home")


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["keys", *arguments])
    return result.exit_code, result.output


def test_a_pair_is_made_once_in_a_home_that_can_be_started_afterwards(home: Home) -> None:
    code, output = run("make")

    (key_id,) = read_public_keys(home.trusted_keys)
    assert code == 0
    assert f"made the key {key_id}" in output
    assert "yes" in output
    assert home.signing_key.is_file()
    home.prepare(made_by="up")
    assert run("make")[1].startswith(f"adopted the key {key_id}")
    assert list(read_public_keys(home.trusted_keys)) == [key_id]


def test_keys_elsewhere_leave_the_home_alone(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_SIGNING_KEY", str(tmp_path / "safe" / "signing.pem"))
    monkeypatch.setenv("MLOPS_TRUSTED_KEYS", str(tmp_path / "trusted"))

    assert run("make")[0] == 0

    assert len(read_public_keys(tmp_path / "trusted")) == 1
    assert not home.root.exists()


def test_all_trusted_keys_are_listed_and_the_one_that_signs_is_marked(home: Home) -> None:
    run("make")
    (former,) = read_public_keys(home.trusted_keys)
    home.signing_key.unlink()
    run("make")

    code, output = run("list", "--json")

    listed = json.loads(output)
    assert code == 0
    assert listed["signing_key"] == str(home.signing_key)
    assert {key["key_id"]: key["signs"] for key in listed["trusted"]} == {
        key_id: key_id != former for key_id in read_public_keys(home.trusted_keys)
    }
    assert len(listed["trusted"]) == 2


def test_a_place_that_only_verifies_is_listed_as_such(home: Home) -> None:
    run("make")
    home.signing_key.unlink()

    code, output = run("list")

    assert code == 0
    assert "none: versions are only verified here" in output


def test_a_place_without_any_key_says_what_to_do(home: Home) -> None:
    code, output = run("list")

    assert code == 0
    assert "no key is trusted" in output
    assert "mlops keys make" in output
    assert not home.root.exists()


def test_the_name_of_a_file_is_text_and_no_markup(home: Home) -> None:
    run("make")
    (path,) = home.trusted_keys.iterdir()
    path.rename(path.with_name(f"[red]{path.name}"))

    assert f"[red]{path.name}" in run("list")[1]


def test_a_private_key_that_others_may_read_is_an_error(home: Home) -> None:
    run("make")
    home.signing_key.chmod(0o644)

    code, output = run("list")

    assert code == 1
    assert "chmod 600" in output
