import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mlops_core.cli.embedded.processes import ProcessRecord, end, family, find, start, tail

IGNORES_SIGTERM = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
signal.pause()
"""
LEAVES_A_CHILD = """
import os, signal
if os.fork() == 0:
    signal.pause()
print("ready", flush=True)
signal.pause()
"""
LEAVES_A_CHILD_IN_ANOTHER_SESSION = """
import os, signal
reading, writing = os.pipe()
if os.fork() == 0:
    os.setsid()
    os.write(writing, b"x")
    signal.pause()
os.read(reading, 1)
print("ready", flush=True)
signal.pause()
"""
NEEDS_A_SECOND_SIGNAL = """
import signal, sys
def first(*_):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
signal.signal(signal.SIGTERM, first)
print("ready", flush=True)
while True:
    signal.pause()
"""


class Launcher:
    """Starts Python programs through the code under test, and sees that none survives the test."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.started: list[ProcessRecord] = []

    def __call__(self, program: str) -> ProcessRecord:
        self.log.write_text("")
        record = start(
            (sys.executable, "-c", program), environment=os.environ, folder=self.log.parent, log=self.log
        )
        self.started.append(record)
        while "ready" not in self.log.read_text():
            assert find(record) is not None, self.log.read_text()
        return record


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launcher]:
    launcher = Launcher(tmp_path)
    yield launcher
    end(launcher.started, patience_s=0, grace_s=0)


def test_a_started_process_is_found_again_by_its_record(launch: Launcher) -> None:
    record = launch(LEAVES_A_CHILD)

    process = find(record)

    assert process is not None
    assert process.pid == record.pid
    assert os.getsid(record.pid) == record.pid, "the terminal's Ctrl-C would reach it"


def test_a_process_that_got_the_pid_later_is_not_ours(launch: Launcher) -> None:
    record = launch(LEAVES_A_CHILD)
    stale = record.model_copy(update={"create_time": record.create_time - 3600})

    assert find(stale) is None
    assert family(stale) == []
    assert end([stale], patience_s=0, grace_s=0) == 0
    assert find(record) is not None


def test_ending_takes_the_children_along(launch: Launcher) -> None:
    record = launch(LEAVES_A_CHILD)
    members = family(record)
    assert len(members) == 2

    killed = end([record], patience_s=5, grace_s=10)

    assert killed == 0
    assert [process for process in members if _runs(process)] == []


def test_children_of_a_process_that_died_are_found_and_ended(launch: Launcher) -> None:
    record = launch(LEAVES_A_CHILD)
    (child,) = psutil.Process(record.pid).children()
    psutil.Process(record.pid).kill()

    end([record], patience_s=5, grace_s=10)

    assert not _runs(child)


def test_a_child_that_left_the_session_is_ended_too(launch: Launcher) -> None:
    record = launch(LEAVES_A_CHILD_IN_ANOTHER_SESSION)
    (child,) = psutil.Process(record.pid).children()
    assert os.getsid(child.pid) != record.pid

    end([record], patience_s=5, grace_s=10)

    assert not _runs(child)


def test_a_process_that_ignores_the_signal_is_killed_after_the_grace(launch: Launcher) -> None:
    record = launch(IGNORES_SIGTERM)

    assert end([record], patience_s=0, grace_s=0.2) == 1
    assert find(record) is None


def test_a_process_that_waits_for_its_tasks_is_asked_twice(launch: Launcher) -> None:
    record = launch(NEEDS_A_SECOND_SIGNAL)

    assert end([record], patience_s=0.1, grace_s=10) == 0
    assert find(record) is None


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("\n".join(f"line {number}" for number in range(1000)))

    assert tail(tmp_path / "log", lines=2) == "line 998\nline 999"
    assert tail(tmp_path / "none") == ""


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
