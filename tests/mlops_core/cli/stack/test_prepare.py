import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mlops_core.cli.embedded.home import is_private
from mlops_core.cli.stack.prepare import main, pools
from mlops_core.signing.keys import read_public_keys


def test_the_pool_has_a_slot_for_each_gpu_and_no_limit_where_there_is_none() -> None:
    assert pools(gpu_slots=4)["gpu"]["slots"] == 4
    assert pools(gpu_slots=0)["gpu"]["slots"] == -1


def test_a_task_that_waits_for_its_container_keeps_its_gpu() -> None:
    assert pools(gpu_slots=1)["gpu"]["include_deferred"] is True


def test_the_user_and_the_keys_are_there_before_airflow_is_and_stay_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords, private, trusted = (tmp_path / name for name in ("passwords.json", "signing.pem", "trusted"))
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", str(passwords))
    monkeypatch.setenv("MLOPS_ADMIN_PASSWORD", "generated")
    monkeypatch.setenv("MLOPS_GPU_SLOTS", "2")
    monkeypatch.setenv("MLOPS_SIGNING_KEY", str(private))
    monkeypatch.setenv("MLOPS_TRUSTED_KEYS", str(trusted))
    made: list[tuple[Any, ...]] = []

    def run(command: tuple[str, ...], *, check: bool) -> None:
        assert check
        made.append((passwords.exists(), is_private(private), tuple(read_public_keys(trusted)), command[-1]))

    monkeypatch.setattr(subprocess, "run", run)

    assert main() == 0
    assert main() == 0

    assert json.loads(passwords.read_text()) == {"admin": "generated"}
    (key_id,) = read_public_keys(trusted)
    assert [one[:3] for one in made] == [(True, True, (key_id,))] * 4
    assert made[0][3] == "migrate"

    (trusted / f"{key_id}.pub.pem").unlink()
    assert main() == 0
    assert read_public_keys(trusted) == {}, "a key that somebody had taken out was trusted again"
