"""Following containers on a real engine, also through a socket that is cut."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import docker
import pytest

from engine_proxy import EngineProxy
from mlops_core.containers.connection import LOST, Connection
from mlops_core.containers.engine import ContainerEngine, EngineAddress
from mlops_core.containers.follow import Ended, Line, follow
from mlops_core.containers.node import look_pauses
from mlops_core.containers.outcome import raise_for_end
from mlops_core.containers.specification import ContainerJob
from mlops_core.errors import (
    ContainerFailedError,
    ContainerInterruptedError,
    ContainerLostError,
    ContainerOutOfMemoryError,
    ContainerTimeoutError,
    DiskFullError,
    DockerUnavailableError,
)

pytestmark = pytest.mark.integration

MakeJob = Callable[..., ContainerJob]
RunJob = Callable[[ContainerJob], Ended]

SLEEP = "import time; time.sleep(300)"
SAY_AND_SLEEP = "import time; print('here', flush=True); time.sleep(300)"
TALK = """
import sys, time
for number in range(2000):
    print(f"line {number}", file=(sys.stdout, sys.stderr)[number % 2], flush=True)
    if number % 20 == 0:
        time.sleep(0.01)
"""


@pytest.fixture
def proxy(docker_engine: str, tmp_path: Path) -> Iterator[EngineProxy]:
    with EngineProxy(docker_engine, tmp_path / "engine.sock") as proxy:
        yield proxy


def test_every_line_of_both_streams_is_shown_in_order_with_its_time(
    run_job: RunJob, make_job: MakeJob, lines: list[Line]
) -> None:
    long = "x" * 40_000 + "é"
    ended = run_job(make_job(f"print('a'); print('{long}'); print(); print('no end', end='')"))

    assert [(line.node, line.text) for line in lines.lines] == [(0, "a"), (0, long), (0, ""), (0, "no end")]
    assert all(line.timestamp.endswith("Z") for line in lines.lines)
    assert ended.is_success
    assert ended == Ended.model_validate_json(ended.model_dump_json())


def test_failure_says_its_code_and_its_last_lines(run_job: RunJob, make_job: MakeJob) -> None:
    ended = run_job(make_job("[print('line', n) for n in range(30)]; raise SystemExit(7)"))

    with pytest.raises(ContainerFailedError, match="exit code 7") as raised:
        raise_for_end(ended, job_name="a job")

    assert raised.value.exit_code == 7
    assert ended.nodes[0].last_lines == tuple(f"line {n}" for n in range(10, 30))
    assert str(raised.value).endswith("line 28\nline 29")


def test_container_beyond_its_memory_says_limit_and_peak(run_job: RunJob, make_job: MakeJob) -> None:
    ended = run_job(make_job("x = bytearray(300 * 1024 * 1024); print(len(x))", spec={"memory_mb": 64}))

    with pytest.raises(
        ContainerOutOfMemoryError, match=r"limit of 64 MB \(peak seen 64 MB\); raise memory_mb"
    ):
        raise_for_end(ended, job_name="a job")


def test_process_of_its_own_accord_ended_by_a_signal_is_not_out_of_memory(
    run_job: RunJob, make_job: MakeJob
) -> None:
    ended = run_job(make_job("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))

    with pytest.raises(ContainerFailedError, match="exit code 137"):
        raise_for_end(ended, job_name="a job")


def test_full_file_system_is_told_from_other_failures(run_job: RunJob, make_job: MakeJob) -> None:
    job = make_job("open('/scratch/f', 'wb').write(bytes(3 * 1024 * 1024))", spec={"tmpfs": {"/scratch": 1}})

    with pytest.raises(DiskFullError, match="No space left on device"):
        raise_for_end(run_job(job), job_name="a job")


def test_usage_is_measured_while_it_runs(
    engine: ContainerEngine, address: EngineAddress, make_job: MakeJob
) -> None:
    job = make_job(
        "import time; x = bytearray(60 * 1024 * 1024); print('full', flush=True)\n"
        "end = time.process_time() + 1.5\nwhile time.process_time() < end: pass"
    )

    ended = asyncio.run(follow(address, engine.start(job).ids, on_line=lambda _: None, usage_seconds=0.1))

    assert 60 <= ended.usage()["peak_memory_mb"] <= 128
    assert ended.usage()["cpu_seconds"] > 0.5
    assert ended.nodes[0].memory_limit_mb == 128


def test_usage_of_a_container_that_ends_soon_is_looked_at_more_than_once(
    engine: ContainerEngine,
    client: docker.APIClient,
    address: EngineAddress,
    make_job: MakeJob,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = engine.start(make_job(SLEEP)).ids
    ask = Connection.stats
    looks: list[dict[str, Any]] = []

    async def ask_and_end(connection: Connection, container: str) -> dict[str, Any]:
        looks.append(await ask(connection, container))
        if len(looks) == 3:
            client.kill(container)
        return looks[-1]

    monkeypatch.setattr(Connection, "stats", ask_and_end)

    ended = asyncio.run(follow(address, ids, on_line=lambda _: None, usage_seconds=1e6))

    assert ended.usage()["cpu_seconds"] == looks[2]["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9


def test_usage_is_looked_at_ever_less_often_and_never_more_than_asked() -> None:
    assert list(itertools.islice(look_pauses(longest=1.0), 6)) == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert list(itertools.islice(look_pauses(longest=0.05), 2)) == [0.05, 0.05]


def test_lines_of_an_earlier_follower_are_not_shown_again(
    engine: ContainerEngine, address: EngineAddress, make_job: MakeJob, run_job: RunJob, lines: list[Line]
) -> None:
    job = make_job(TALK)
    run_job(job)
    shown = sorted(lines.lines, key=lambda line: line.timestamp)
    rest: list[Line] = []

    ended = asyncio.run(
        follow(address, engine.start(job).ids, on_line=rest.append, since=shown[1499].timestamp)
    )

    assert sorted(rest, key=lambda line: line.timestamp) == shown[1500:]
    assert len(ended.nodes[0].last_lines) == 20


def test_cut_connections_lose_no_line_and_show_none_twice(
    engine: ContainerEngine, make_job: MakeJob, proxy: EngineProxy
) -> None:
    job = make_job(TALK)
    texts: list[str] = []

    def show(line: Line) -> None:
        texts.append(line.text)
        if len(texts) % 250 == 100:
            proxy.cut()

    ended = asyncio.run(follow(EngineAddress(url=proxy.url), engine.start(job).ids, on_line=show))

    assert sorted(texts) == sorted(f"line {number}" for number in range(2000))
    assert ended.is_success
    assert not ended.interrupted
    assert proxy.accepted > 10


def test_engine_that_stays_away_is_unavailable_and_the_container_goes_on(
    engine: ContainerEngine, make_job: MakeJob, proxy: EngineProxy
) -> None:
    job = make_job(SAY_AND_SLEEP)
    ids = engine.start(job).ids

    with pytest.raises(DockerUnavailableError, match="has not answered for 1 s"):
        asyncio.run(
            follow(EngineAddress(url=proxy.url), ids, on_line=lambda _: proxy.stop(), away_seconds=1.0)
        )

    assert engine.start(job).how == "adopted"


def test_container_killed_while_the_engine_was_away_was_interrupted(
    engine: ContainerEngine, client: docker.APIClient, make_job: MakeJob, proxy: EngineProxy
) -> None:
    job = make_job(SAY_AND_SLEEP)
    ids = engine.start(job).ids

    def crash(_: Line) -> None:
        proxy.stop()
        client.kill(ids[0])
        proxy.start()

    ended = asyncio.run(follow(EngineAddress(url=proxy.url), ids, on_line=crash))

    with pytest.raises(ContainerInterruptedError, match="exit code 137"):
        raise_for_end(ended, job_name="a job")


def test_removed_container_is_lost(
    engine: ContainerEngine, address: EngineAddress, make_job: MakeJob
) -> None:
    job = make_job(SAY_AND_SLEEP)
    ids = engine.start(job).ids

    ended = asyncio.run(follow(address, ids, on_line=lambda _: engine.remove(job, files=True)))

    assert ended.lost
    with pytest.raises(ContainerLostError, match="was removed"):
        raise_for_end(ended, job_name="a job")


def test_deadline_ends_following_and_not_the_container(
    engine: ContainerEngine, address: EngineAddress, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(SAY_AND_SLEEP)
    ids = engine.start(job).ids
    clock = create_autospec(time)
    clock.time.return_value = 0.0
    monkeypatch.setattr("mlops_core.containers.follow.time", clock)

    def pass_the_deadline(_: Line) -> None:
        clock.time.return_value = 0.1

    ended = asyncio.run(follow(address, ids, on_line=pass_the_deadline, deadline=0.1))

    assert engine.start(job).how == "adopted"
    with pytest.raises(ContainerTimeoutError, match="here"):
        raise_for_end(ended, job_name="a job")


def test_container_that_ended_while_nobody_followed_it_has_not_timed_out(
    address: EngineAddress, make_job: MakeJob, run_job: RunJob, engine: ContainerEngine
) -> None:
    good, bad = make_job("print('done')"), make_job("print('broken'); raise SystemExit(7)")
    ids = {job.name: engine.start(job).ids for job in (good, bad)}
    run_job(good)
    shown: list[str] = []

    def show(line: Line) -> None:
        shown.append(line.text)

    asyncio.run(follow(address, ids[bad.name], on_line=lambda _: None))
    ended = {
        name: asyncio.run(follow(address, containers, on_line=show, deadline=0.0))
        for name, containers in ids.items()
    }

    raise_for_end(ended[good.name], job_name="a job")
    with pytest.raises(ContainerFailedError, match="exit code 7"):
        raise_for_end(ended[bad.name], job_name="a job")
    assert shown == ["done", "broken"]


def test_container_that_still_runs_beyond_its_deadline_has_timed_out_and_says_what_it_wrote(
    address: EngineAddress, make_job: MakeJob, engine: ContainerEngine
) -> None:
    job = make_job(SAY_AND_SLEEP)
    ids = engine.start(job).ids
    since: list[str] = []
    with pytest.raises(RuntimeError):
        asyncio.run(follow(address, ids, on_line=_note_and_leave(since)))

    ended = asyncio.run(follow(address, ids, on_line=lambda _: None, since=since[0], deadline=0.0))

    assert ended.nodes[0].exit_code is None
    with pytest.raises(ContainerTimeoutError, match="its last lines:\nhere"):
        raise_for_end(ended, job_name="a job")


def test_end_that_came_while_the_engine_was_away_counts_beyond_the_deadline(
    engine: ContainerEngine,
    make_job: MakeJob,
    run_job: RunJob,
    proxy: EngineProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = make_job()
    ids = engine.start(job).ids
    run_job(job)
    proxy.stop()
    inspect = Connection.inspect
    lost: list[Exception] = []

    async def inspect_and_return(connection: Connection, container: str) -> dict[str, Any]:
        try:
            return await inspect(connection, container)
        except LOST as error:
            lost.append(error)
            proxy.start()
            raise

    monkeypatch.setattr(Connection, "inspect", inspect_and_return)

    ended = asyncio.run(follow(EngineAddress(url=proxy.url), ids, on_line=lambda _: None, deadline=0.0))

    assert ended.is_success
    assert len(lost) == 1


def test_first_failed_node_ends_the_others_time(
    engine: ContainerEngine, address: EngineAddress, make_job: MakeJob
) -> None:
    program = (
        "import socket, time\nif socket.gethostname().endswith('-1'): raise SystemExit(5)\ntime.sleep(300)"
    )
    job = make_job(program, nodes=2)

    ended = asyncio.run(follow(address, engine.start(job).ids, on_line=lambda _: None, grace_seconds=0.2))

    assert [node.exit_code for node in ended.nodes] == [None, 5]
    with pytest.raises(ContainerFailedError, match=r"a job \(node 1\) ended with exit code 5"):
        raise_for_end(ended, job_name="a job")


def test_node_that_failed_before_the_deadline_is_why_the_job_failed(
    engine: ContainerEngine, address: EngineAddress, make_job: MakeJob
) -> None:
    program = (
        "import socket, time\nif socket.gethostname().endswith('-1'): raise SystemExit(5)\ntime.sleep(300)"
    )
    ids = engine.start(make_job(program, nodes=2)).ids
    asyncio.run(follow(address, ids, on_line=lambda _: None, grace_seconds=0.0))

    ended = asyncio.run(follow(address, ids, on_line=lambda _: None, deadline=0.0))

    with pytest.raises(ContainerFailedError, match=r"a job \(node 1\) ended with exit code 5"):
        raise_for_end(ended, job_name="a job")


def test_error_in_showing_a_line_is_raised(
    engine: ContainerEngine, address: EngineAddress, make_job: MakeJob
) -> None:
    ids = engine.start(make_job(SAY_AND_SLEEP)).ids

    def fail(line: Line) -> None:
        raise RuntimeError(line.text)

    with pytest.raises(RuntimeError, match="here"):
        asyncio.run(follow(address, ids, on_line=fail))


def _note_and_leave(since: list[str]) -> Callable[[Line], None]:
    """Show one line, and follow no further."""

    def show(line: Line) -> None:
        since.append(line.timestamp)
        raise RuntimeError(line.text)

    return show
