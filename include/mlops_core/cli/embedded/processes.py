"""Start processes that outlive this command, know them again later, and end them with all their children."""

import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from mlops_core.document import Document

_POLL_S = 0.05
_CLOCK_TOLERANCE_S = 1.0
_KILLED_WITHIN_S = 5.0


class ProcessRecord(Document):
    """What it takes to know a process again: a pid alone may have been given to another one since."""

    pid: int
    create_time: float


def start(
    command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path
) -> ProcessRecord:
    """Start a process in a session of its own, its output going to a file.

    The session makes it deaf to the terminal's Ctrl-C, and names all its descendants.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  the commands are constants of this package
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    create_time = psutil.Process(process.pid).create_time()
    # It outlives this command on purpose; otherwise Popen warns that nobody has waited for it.
    process.returncode = 0
    return ProcessRecord(pid=process.pid, create_time=create_time)


def find(record: ProcessRecord) -> psutil.Process | None:
    """Return the recorded process while it runs; nothing if it ended or its pid is another process's now."""
    try:
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - record.create_time) < _CLOCK_TOLERANCE_S
        return process if same and _runs(process) else None
    except psutil.NoSuchProcess:
        return None


def family(record: ProcessRecord) -> list[psutil.Process]:
    """Return the recorded process and all that descend from it, also when it has ended itself.

    A session keeps its number while it has members, and no new process gets that number as its pid meanwhile.
    """
    try:
        leader = psutil.Process(record.pid)
        if abs(leader.create_time() - record.create_time) >= _CLOCK_TOLERANCE_S:
            return []
        found = {leader, *_descendants(leader)}
    except psutil.NoSuchProcess:
        found = set()
    found.update(process for process in psutil.process_iter() if _is_member(process, record))
    return [process for process in found if _runs(process)]


def end(records: Iterable[ProcessRecord], *, patience_s: float, grace_s: float) -> int:
    """End processes and all their descendants, gently and then by force.

    Each recorded process gets SIGTERM, and once more when the patience is over: Airflow's components take
    that as "do not wait for running tasks". Descendants that a process leaves behind get SIGTERM as well.
    Whatever runs after the grace period gets SIGKILL.

    Returns
    -------
    How many processes had to be killed.
    """
    records = tuple(records)
    asked: dict[psutil.Process, int] = {}
    known: set[psutil.Process] = set()
    began = time.monotonic()
    while True:
        # Children are remembered while their parents live: one that left the session is not found later.
        known.update(process for record in records for process in family(record))
        running = {process for process in known if _runs(process)}
        leaders = {process for record in records if (process := find(record)) is not None}
        waited_s = time.monotonic() - began
        if not running or waited_s > grace_s:
            break
        times = 2 if waited_s > patience_s else 1
        for process in leaders | _left_behind(records) if leaders else running:
            if asked.get(process, 0) < times:
                _signal(process, force=False)
                asked[process] = times
        time.sleep(_POLL_S)
    return _kill(records, running)


def _left_behind(records: tuple[ProcessRecord, ...]) -> set[psutil.Process]:
    return {process for record in records if find(record) is None for process in family(record)}


def _kill(records: tuple[ProcessRecord, ...], running: set[psutil.Process]) -> int:
    killed: set[psutil.Process] = set()
    deadline = time.monotonic() + _KILLED_WITHIN_S
    # A process may fork between the look and the signal, so look again until nothing is left.
    while running and time.monotonic() < deadline:
        for process in running:
            _signal(process, force=True)
        killed |= running
        time.sleep(_POLL_S)
        running = {process for process in killed if _runs(process)}
        running.update(process for record in records for process in family(record))
    return len(killed)


def tail(log: Path, *, lines: int = 20) -> str:
    """Return the last lines of a log file."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 200 * lines))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _is_member(process: psutil.Process, record: ProcessRecord) -> bool:
    try:
        return (
            os.getsid(process.pid) == record.pid
            and process.create_time() > record.create_time - _CLOCK_TOLERANCE_S
        )
    except (psutil.Error, OSError):
        return False


def _runs(process: psutil.Process) -> bool:
    try:
        # Where nobody reaps orphans, an ended process stays as a zombie for ever.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, *, force: bool) -> None:
    try:
        if force:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        pass
