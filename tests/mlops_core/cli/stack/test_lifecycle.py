from pathlib import Path

import pytest

from mlops_core.cli.stack.configuration import StackFiles
from mlops_core.cli.stack.lifecycle import Stack
from servers import free_port

_CLIENT = """#!/bin/sh
case " $* " in *" up "*) echo "$POSTGRES_PASSWORD" >"$SEEN" ;; esac
"""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack whose Docker client writes down the password that Compose would use."""
    client = tmp_path / "docker-client" / "docker"
    client.parent.mkdir()
    client.write_text(_CLIENT)
    client.chmod(0o755)
    files = StackFiles(name="stack", folder=tmp_path)
    files.databases_file.parent.mkdir(parents=True)
    files.databases_file.write_text("select 1;\n")
    monkeypatch.setenv("PATH", f"{client.parent}:/usr/bin:/bin")
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    for service in ("AIRFLOW", "MLFLOW", "MODEL_SERVER"):
        monkeypatch.setenv(f"MLOPS_{service}_PORT", str(free_port()))
    return Stack(files)


def test_a_secret_that_happens_to_be_exported_is_not_used(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_PASSWORD", "exported")

    stack.up()

    used = (tmp_path / "seen").read_text().strip()
    assert used == stack.files.variables()["POSTGRES_PASSWORD"] != "exported"
