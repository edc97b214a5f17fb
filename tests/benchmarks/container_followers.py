"""One process of the containers benchmark: it follows in one of two ways and says what that cost it.

Usage: python container_followers.py WAY FOLLOWERS SECONDS ID...

Both ways run as tasks of one event loop, as in a triggerer, and hand each line to the same function. What is
counted begins when every follower has its first line.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

import aiodocker

from mlops_core.containers.engine import EngineAddress
from mlops_core.containers.follow import Line, follow

POLL_SECONDS = 2.0
_ATTACH_SECONDS = 40.0
_LOST_SHARE = 0.2

Follower = Callable[[str, Callable[[Line], None]], Coroutine[Any, Any, object]]


class Lines:
    """What the followers have been handed."""

    def __init__(self, followers: int) -> None:
        self._silent = set(range(followers))
        self.all_have_one = asyncio.Event()
        self.delays: list[float] = []

    def take(self, follower: int, line: Line) -> None:
        self.delays.append(time.time() - _unix_seconds(line.timestamp))
        self._silent.discard(follower)
        if not self._silent:
            self.all_have_one.set()


async def follow_ours(container: str, on_line: Callable[[Line], None]) -> object:
    """Follow through the library."""
    return await follow(EngineAddress.from_environment(), [container], on_line=on_line)


def polling(client: aiodocker.Docker) -> Follower:
    """Return what asks for state and new lines again and again, through one client for all."""

    async def poll(container: str, on_line: Callable[[Line], None]) -> None:
        asked, last = client.containers.container(container), ""
        while True:
            state = (await asked.show())["State"]
            since = int(_unix_seconds(last)) if last else 0
            for text in await asked.log(stdout=True, stderr=True, timestamps=True, since=since):
                timestamp, _, rest = text.partition(" ")
                if timestamp > last:
                    on_line(Line(0, timestamp, rest))
                    last = timestamp
            if not state["Running"]:
                return
            await asyncio.sleep(POLL_SECONDS)

    return poll


async def measure(follower: Follower, *, ids: list[str], followers: int, seconds: float) -> dict[str, float]:
    """Let so many follow, in turns over the containers; CPU seconds of this process."""
    lines, began = Lines(followers), time.process_time()
    tasks = [
        asyncio.create_task(
            follower(ids[number % len(ids)], lambda line, number=number: lines.take(number, line))
        )
        for number in range(followers)
    ]
    try:
        ready = asyncio.ensure_future(lines.all_have_one.wait())
        # A follower that ends has failed: its containers run on.
        done, _ = await asyncio.wait(
            [ready, *tasks], timeout=_ATTACH_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done - {ready}:
            raise SystemExit(f"a follower ended: {task.exception() or task.result()!r}")
        if not done:
            raise SystemExit(f"some of {followers} followers had no line after {_ATTACH_SECONDS:.0f} s")
        attached = time.process_time()
        lines.delays.clear()
        await asyncio.sleep(seconds)
        used = time.process_time() - attached
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    expected = followers * seconds
    if len(lines.delays) < (1 - _LOST_SHARE) * expected:
        raise SystemExit(f"{len(lines.delays)} lines came of about {expected:.0f}: this is no comparison")
    return {
        "attach_cpu_seconds": attached - began,
        "cpu_seconds_a_minute": 60 * used / seconds,
        "delay_seconds": statistics.median(lines.delays),
    }


async def run(way: str, *, ids: list[str], followers: int, seconds: float) -> dict[str, float]:
    """Measure one way."""
    if way == "follow":
        return await measure(follow_ours, ids=ids, followers=followers, seconds=seconds)
    async with aiodocker.Docker(url=EngineAddress.from_environment().url) as client:
        return await measure(polling(client), ids=ids, followers=followers, seconds=seconds)


def _unix_seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


def main() -> None:
    """Print what it cost as JSON."""
    way, followers, seconds, *ids = sys.argv[1:]
    answer = asyncio.run(run(way, ids=ids, followers=int(followers), seconds=float(seconds)))
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
