from pathlib import Path

import pytest

from mlops_core.cli.stack.client import listed, run_docker
from mlops_core.errors import PlatformError


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A client that does what the test writes into it."""
    client = tmp_path / "docker"
    client.write_text('#!/bin/sh\necho "$@"\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return client


def test_arguments_reach_the_client_as_they_are(docker: Path) -> None:
    assert docker.exists()
    assert listed("ps", "--filter", "label=$(id)") == ("ps", "--filter", "label=$(id)")


def test_a_failure_shows_the_command_and_the_end_of_its_output_without_its_options(docker: Path) -> None:
    docker.write_text("#!/bin/sh\nseq 100; echo broken >&2; exit 3\n")

    with pytest.raises(PlatformError, match=r"^docker compose up failed\n") as refused:
        run_docker("compose", "--env-file", "/secret/place", "up")

    said = str(refused.value)
    assert said.endswith("100\nbroken")
    assert "\n50\n" not in said
    assert "secret" not in said


def test_variables_win_over_those_that_happen_to_be_exported(
    docker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker.write_text('#!/bin/sh\necho "$POSTGRES_PASSWORD $KEPT"\n')
    monkeypatch.setenv("POSTGRES_PASSWORD", "exported")
    monkeypatch.setenv("KEPT", "kept")

    assert run_docker("compose", variables={"POSTGRES_PASSWORD": "generated"}) == "generated kept\n"


def test_a_command_that_takes_too_long_is_ended(docker: Path) -> None:
    docker.write_text("#!/bin/sh\nexec sleep 60\n")

    with pytest.raises(PlatformError, match=r"docker build was not done after 0 s"):
        run_docker("build", timeout_s=0.2)


def test_a_machine_without_a_client_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(PlatformError, match="no docker command"):
        run_docker("version")
