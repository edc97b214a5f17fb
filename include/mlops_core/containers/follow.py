"""Following containers to their end, through lost connections."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from mlops_core.containers.address import EngineAddress
from mlops_core.containers.connection import Connection
from mlops_core.containers.ended import Ended
from mlops_core.containers.node import AWAY_SECONDS, Line, NodeFollower

__all__ = ["Ended", "Line", "follow"]


async def follow(
    address: EngineAddress,
    ids: Sequence[str],
    *,
    on_line: Callable[[Line], None],
    since: str | None = None,
    deadline: float | None = None,
    usage_seconds: float = 5.0,
    grace_seconds: float = 30.0,
    away_seconds: float = AWAY_SECONDS,
) -> Ended:
    """Wait until all containers of a job have ended, and show every line that they write once.

    The engine answers when a container ends: nothing is asked in a loop but what it uses.

    Parameters
    ----------
    ids
        The containers, by node; they must have been started.
    since
        Time stamp of the last line that was shown before.
    deadline
        Unix time in seconds at which following ends; nothing is removed. Whatever has ended by then, or by a
        later call, is judged by its own end: only what still runs is timed out.
    usage_seconds
        How often memory and CPU time are looked at; in the first seconds more often.
    grace_seconds
        How long the other nodes may go on after one has failed.
    away_seconds
        How long the engine may be away before it is given up.

    Raises
    ------
    DockerUnavailableError
        If the engine stayed away; the containers may run on.
    """
    async with Connection(address) as connection:
        followers = [
            NodeFollower(
                connection,
                container,
                node=node,
                on_line=on_line,
                since=since or None,
                usage_seconds=usage_seconds,
                away_seconds=away_seconds,
            )
            for node, container in enumerate(ids)
        ]
        tasks = [asyncio.create_task(follower.run()) for follower in followers]
        try:
            timed_out = await _all_ended(tasks, followers, deadline=deadline, grace_seconds=grace_seconds)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    nodes = tuple(follower.end for follower in followers)
    return Ended(nodes=nodes, timed_out=timed_out, interrupted=any(one.is_interrupted for one in followers))


async def _all_ended(
    tasks: Sequence["asyncio.Task[None]"],
    followers: Sequence[NodeFollower],
    *,
    deadline: float | None,
    grace_seconds: float,
) -> bool:
    """Wait for all nodes, or for the grace after a failed one; return whether they have had their time."""
    running = set(tasks)
    grace_ends: float | None = None
    while running:
        left = None if deadline is None else deadline - time.time()
        grace_left = None if grace_ends is None else grace_ends - time.monotonic()
        limits = [limit for limit in (left, grace_left) if limit is not None]
        finished, running = await asyncio.wait(
            running, timeout=max(0.0, min(limits)) if limits else None, return_when=asyncio.FIRST_COMPLETED
        )
        for task in finished:
            task.result()
        if not running:
            break
        if deadline is not None and time.time() >= deadline:
            return await _is_late(running, followers)
        if grace_ends is not None and time.monotonic() >= grace_ends:
            break
        if grace_ends is None and any(follower.has_failed for follower in followers):
            grace_ends = time.monotonic() + grace_seconds
    return False


async def _is_late(running: Iterable["asyncio.Task[None]"], followers: Sequence[NodeFollower]) -> bool:
    """Whether a node still runs and none has failed.

    Who follows may have been away, or the engine: what has ended by now has not timed out.
    """
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await asyncio.gather(*(follower.look_once() for follower in followers))
    return not any(one.has_failed for one in followers) and not all(one.has_ended for one in followers)
