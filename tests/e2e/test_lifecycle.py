"""The embedded platform comes up, says how it is, heals and goes down, as a user sees it."""

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from embedded_platform import OwnPlatform, runs
from following import RunFollower, wait_until
from mlops_core.cli.embedded.credentials import read_password
from mlops_core.cli.gpu_pool import gpu_pool
from mlops_core.containers.gpus import visible_gpus

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnPlatform]:
    (tmp_path / "dags").mkdir()
    own = OwnPlatform.make(tmp_path, dags=tmp_path / "dags")
    yield own
    own.command("down")


def test_the_platform_comes_up_says_so_once_heals_and_leaves_no_process_behind(own: OwnPlatform) -> None:
    first = own.command("up")
    assert first.returncode == 0, first.stdout + first.stderr
    assert str(own.home.passwords_file) in first.stdout
    # Somebody else's work may keep one of them from answering in time once.
    told = wait_until(lambda: told if (told := own.status())["healthy"] else None, "the status says so")
    assert {service["state"] for service in told["services"]} == {"healthy"}
    for path in (own.home.passwords_file, own.home.secrets_file, own.home.signing_key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    started = own.processes()
    assert _addresses_listened_on(started) == {"127.0.0.1"}
    with own.api() as api:
        assert api.dag_ids() == ()
        assert api.pool("gpu") == gpu_pool(len(visible_gpus()))
        api.set_pool(gpu_pool(3))
        assert api.pool("gpu") == gpu_pool(3)

    before = _pids(own)
    second = own.command("up")
    assert second.returncode == 0
    assert "already up" in second.stdout
    assert _pids(own) == before

    psutil.Process(before["model-server"]).kill()
    assert own.command("status").returncode == 1
    healed = own.command("up")
    assert healed.returncode == 0, healed.stdout + healed.stderr
    assert "stale record of model-server" in healed.stdout
    after = _pids(own)
    assert {name for name in after if after[name] != before[name]} == {"model-server"}

    started |= own.processes()
    ended = own.command("down")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [process for process in started if runs(process)] == []
    assert own.command("status").returncode == 3
    again = own.command("down")
    assert again.returncode == 0
    assert "nothing runs" in again.stdout


def test_a_service_that_cannot_start_takes_the_others_down_and_shows_its_log(own: OwnPlatform) -> None:
    broken = own.command("up", MLOPS_SERVER_MAX_BODY_BYTES="many")
    assert broken.returncode == 1
    assert "Model server ended while it started" in broken.stderr
    assert "max_body_bytes" in broken.stderr
    assert own.processes() == set()
    assert own.command("status").returncode == 3


def test_people_who_change_things_at_the_same_moment_do_not_stop_each_other(own: OwnPlatform) -> None:
    started = own.command("up")
    assert started.returncode == 0, started.stdout + started.stderr
    with own.api() as api:
        follower = RunFollower(api, url=own.record.ports.airflow_url, password=read_password(own.home))

        def declare(number: int) -> int:
            return follower.post("/api/v2/variables", {"key": f"v{number}", "value": ""}).status_code

        with ThreadPoolExecutor(8) as people:
            assert set(people.map(declare, range(80))) == {201}


def _pids(own: OwnPlatform) -> dict[str, int]:
    return {service["name"]: service["pid"] for service in own.status()["services"]}


def _addresses_listened_on(processes: set[psutil.Process]) -> set[str]:
    return {
        connection.laddr.ip
        for process in processes
        if runs(process)
        for connection in process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
