"""Containers: starting one through the library over plain ``docker run``, and following many over polling.

Both sides of a start run the same image, command, limits and hardening. The library's side also makes the
container's volume, writes its files and removes all of it; its own start is counted from connecting to the
engine. The two take turns.

Followers share one event loop in a process of their own, as triggers share a triggerer: 200 of them on ten
containers that write a line a second, once through the library's ``follow`` and once by asking for state and
new lines every two seconds. What counts is the CPU time of that process.
"""

import asyncio
import json
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from container_followers import POLL_SECONDS
from rich.console import Console
from rich.table import Table

from mlops_core.containers.engine import ContainerEngine, EngineAddress, connect
from mlops_core.containers.follow import Line, follow
from mlops_core.containers.outcome import raise_for_end
from mlops_core.containers.specification import ContainerJob, ContainerSpec

IMAGE = "mlops-test-python:3.11"
STARTS = 7
CONTAINERS = 10
FOLLOWERS = 200
FOLLOW_SECONDS = 12
REPEATS = 2
# What other processes of the machine do must not end the benchmark's own wait.
LIMIT_SECONDS = 90
PLAIN_NAME = "mlops-bench-plain"
WAYS = ("follow", "poll")
_HERE = Path(__file__).resolve().parent
_SAY = "print('here', flush=True)"
_SAY_FOREVER = "import time\nwhile True: print('here', flush=True); time.sleep(1)"


class Seconds(NamedTuple):
    """Of one container, from asking for it: to its first line, and until nothing is left of it."""

    first_line: float
    total: float


def container_job(name: str, code: str) -> ContainerJob:
    """Declare a small container that runs some Python."""
    return ContainerJob(
        key=f"bench containers {name}",
        spec=ContainerSpec(
            image=IMAGE,
            command=("python3", "-c", code),
            memory_mb=64,
            cpus=1,
            tmpfs={"/tmp": 16},  # noqa: S108  the container's own
        ),
    )


def plain_command(spec: ContainerSpec) -> list[str]:
    """Write the same container for ``docker run``."""
    docker = shutil.which("docker")
    if docker is None:
        raise SystemExit("there is no docker on the PATH to compare with")
    [(folder, tmpfs_mb)] = spec.tmpfs.items()
    return [
        *(docker, "run", "--rm", "--init", "--read-only", "--name", PLAIN_NAME),
        *("--network", spec.network, "--user", f"{spec.user_id}:{spec.group_id}"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", str(spec.pids_limit)),
        *("--memory", f"{spec.memory_mb}m", "--memory-swap", f"{spec.memory_mb}m", "--cpus", str(spec.cpus)),
        *("--shm-size", f"{spec.shm_mb}m"),
        *("--tmpfs", f"{folder}:rw,nosuid,nodev,exec,mode=1777,size={tmpfs_mb}m"),
        *(spec.image, *spec.command),
    ]


def start_plain(command: list[str]) -> Seconds:
    """Run it as a person would."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        first_line = time.perf_counter() - began
    if process.returncode != 0:
        raise SystemExit(f"docker run ended with exit code {process.returncode}")
    return Seconds(first_line, time.perf_counter() - began)


def start_ours(job: ContainerJob) -> Seconds:
    """Run it through the library."""
    lines: list[float] = []
    began = time.perf_counter()

    def note(_: Line) -> None:
        lines.append(time.perf_counter() - began)

    address = EngineAddress.from_environment()
    engine = ContainerEngine(connect(address))
    started = engine.start(job)
    ended = asyncio.run(follow(address, started.ids, on_line=note))
    raise_for_end(ended, job_name=job.name)
    engine.remove(job, files=True)
    return Seconds(lines[0], time.perf_counter() - began)


@contextmanager
def nothing_left(*jobs: ContainerJob) -> Iterator[None]:
    """Remove these jobs' containers and volumes, before and after, however the block ends."""

    def remove() -> None:
        engine = ContainerEngine(connect(EngineAddress.from_environment()))
        for job in jobs:
            engine.remove(job, files=True)
        subprocess.run(["docker", "rm", "--force", PLAIN_NAME], capture_output=True, check=False)

    remove()
    try:
        yield
    finally:
        remove()


def compare_starts() -> Table:
    """Start containers in turns on both sides."""
    job = container_job("start", _SAY)
    command = plain_command(job.spec)
    with nothing_left(job):
        # The first of each finds nothing in memory.
        start_plain(command)
        start_ours(job)
        pairs = [(start_plain(command), start_ours(job)) for _ in range(STARTS)]
    table = Table(title=f"One container through the library over docker run, median of {STARTS} pairs")
    for heading in ("", "docker run, s", "library, s", "ratio"):
        table.add_column(heading, justify="right" if heading else "left")
    for place, label in enumerate(("first line", "all of it, removed")):
        plain, ours = (statistics.median(pair[side][place] for pair in pairs) for side in (0, 1))
        ratio = statistics.median(pair[1][place] / pair[0][place] for pair in pairs)
        table.add_row(label, f"{plain:.2f}", f"{ours:.2f}", f"{ratio:.2f}")
    return table


def followed_by(way: str, ids: list[str]) -> dict[str, float]:
    """Follow in one way, in a fresh process."""
    script = str(_HERE / "container_followers.py")
    completed = subprocess.run(
        [sys.executable, script, way, str(FOLLOWERS), str(FOLLOW_SECONDS), *ids],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=LIMIT_SECONDS,
    )
    answer: dict[str, float] = json.loads(completed.stdout.splitlines()[-1])
    return answer


def compare_followers() -> Table:
    """Follow in turns in both ways."""
    jobs = [container_job(f"follow {number}", _SAY_FOREVER) for number in range(CONTAINERS)]
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with nothing_left(*jobs):
        engine = ContainerEngine(connect(EngineAddress.from_environment()))
        ids = [identity for job in jobs for identity in engine.start(job).ids]
        for _ in range(REPEATS):
            for way in WAYS:
                found[way].append(followed_by(way, ids))
    table = Table(
        title=f"{FOLLOWERS} followers of containers that write a line a second, on one event loop",
        caption=f"CPU of the following process alone; median of {REPEATS} runs of {FOLLOW_SECONDS} s each",
    )
    for heading in ("", f"polling every {POLL_SECONDS:.0f} s", "follow", "ratio"):
        table.add_column(heading, justify="right" if heading else "left")
    labels = {
        "cpu_seconds_a_minute": "CPU seconds a minute",
        "attach_cpu_seconds": "CPU seconds until all have a line",
        "delay_seconds": "seconds until a line arrives",
    }
    for name, label in labels.items():
        ours, polled = (statistics.median(each[name] for each in found[way]) for way in WAYS)
        table.add_row(label, f"{polled:.3f}", f"{ours:.3f}", f"{ours / polled:.3f}")
    return table


def main() -> None:
    """Print both tables."""
    # A polite end must remove the containers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # The tests' own modules lie a folder higher.
    sys.path.append(str(_HERE.parent))
    from docker_engine import provide_python_image

    provide_python_image(EngineAddress.from_environment().url)
    console = Console()
    console.print(compare_starts())
    console.print(compare_followers())


if __name__ == "__main__":
    main()
