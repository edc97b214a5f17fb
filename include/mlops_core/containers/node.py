"""Following one container to its end."""

import asyncio
import contextlib
import logging
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

import tenacity

from mlops_core.containers.connection import LOST, Connection, GoneError
from mlops_core.containers.ended import LAST_LINES, NodeEnd
from mlops_core.containers.logs import Shown
from mlops_core.containers.usage import Usage
from mlops_core.errors import DockerUnavailableError

AWAY_SECONDS = 120.0
"""How long the engine may be away: a restart takes seconds, an upgrade a minute."""

_DRAIN_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_KEPT_LINE = 2000
_FIRST_SIGNAL = 128
_TERMINATED = _FIRST_SIGNAL + signal.SIGTERM
_MEBIBYTE = 1024 * 1024

log = logging.getLogger(__name__)


def look_pauses(*, longest: float) -> Iterator[float]:
    """Give the seconds between looks at what is used: a tenth, then twice the last, up to ``longest``."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        yield min(pause, longest)
        pause = min(2 * pause, longest)


class Line(NamedTuple):
    """One line that a node wrote; ``timestamp`` is the engine's, RFC 3339 with nanoseconds."""

    node: int
    timestamp: str
    text: str


class _LogEndedError(Exception):
    """The log's stream ended, and the container has not."""


class NodeFollower:
    """Follows one container; ``end`` holds what is known so far, also before it ``has_ended``."""

    def __init__(
        self,
        connection: Connection,
        container: str,
        *,
        node: int,
        on_line: Callable[[Line], None],
        since: str | None,
        usage_seconds: float,
        away_seconds: float,
    ) -> None:
        self.end = NodeEnd(id=container)
        self._connection = connection
        self._container = container
        self._node = node
        self._on_line = on_line
        self._shown = Shown(since)
        self._is_resumed = since is not None
        self._last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self._usage = Usage()
        self._usage_seconds = usage_seconds
        self._away_seconds = away_seconds
        self._was_cut = False
        self.has_ended = False

    @property
    def has_failed(self) -> bool:
        """Whether it has ended, and not with exit code 0."""
        return self.has_ended and not self.end.is_success

    @property
    def is_interrupted(self) -> bool:
        """Whether it was ended from outside: by a signal while the connection was lost, or by SIGTERM.

        An engine that is stopped sends SIGTERM to its containers while it still answers; we never do.
        """
        code = self.end.exit_code
        if self.end.oom_killed or code is None:
            return False
        return code == _TERMINATED or (self._was_cut and code > _FIRST_SIGNAL)

    async def run(self) -> None:
        """Return when the container has ended and its whole log was shown.

        Raises
        ------
        DockerUnavailableError
            If the engine stayed away.
        """
        while not self.has_ended:
            async with self._through_losses():
                await self._watch()
                await self._settle()

    async def look_once(self) -> None:
        """See how things are without waiting for the end; ``run`` must not be under way.

        Raises
        ------
        DockerUnavailableError
            If the engine stayed away.
        """
        has_looked = False
        while not (has_looked or self.has_ended):
            async with self._through_losses():
                await self._settle()
                has_looked = True

    @contextlib.asynccontextmanager
    async def _through_losses(self) -> AsyncIterator[None]:
        """Note a container that is gone as ended; wait for an engine that is away, for the next attempt."""
        try:
            yield
        except GoneError:
            self._note(lost=True)
            self.has_ended = True
        except _LogEndedError:
            log.debug("the log of %s ended before the container; asking again", self._container)
        except LOST as error:
            self._was_cut = True
            log.warning("lost the connection to the Docker engine: %r; trying again", error)
            await self._return_of_engine()

    async def _watch(self) -> None:
        """Show lines and look at what is used until the container does not run."""
        waiting = asyncio.create_task(self._connection.wait(self._container))
        reading = asyncio.create_task(self._read(follow=True))
        sampling = asyncio.create_task(self._sample())
        tasks = {waiting, reading, sampling}
        try:
            while not waiting.done():
                # The log's end comes just before the container's.
                patience = _DRAIN_SECONDS if reading.done() else None
                pending = {task for task in tasks if not task.done()}
                finished, _ = await asyncio.wait(
                    pending, timeout=patience, return_when=asyncio.FIRST_COMPLETED
                )
                if not finished:
                    raise _LogEndedError
                for task in finished:
                    task.result()
            waiting.result()
            finished, _ = await asyncio.wait({reading}, timeout=_DRAIN_SECONDS)
            for task in finished:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._note()

    async def _settle(self) -> None:
        """Read what the stream may have left out and, if the container has ended, how."""
        inspected = await self._connection.inspect(self._container)
        await self._read(follow=False)
        if self._is_resumed:
            await self._recall()
        self._note()
        # Somebody may have started it anew since it ended.
        if not inspected["State"]["Running"]:
            self._note_inspected(inspected)
            self.has_ended = True

    async def _read(self, *, follow: bool) -> None:
        async with contextlib.aclosing(
            self._connection.lines(self._container, follow=follow, since=self._shown.begin())
        ) as entries:
            async for entry in entries:
                if self._shown.is_new(entry):
                    self._last_lines.append(entry.text[:_LONGEST_KEPT_LINE])
                    self._on_line(Line(self._node, entry.timestamp, entry.text))

    async def _recall(self) -> None:
        """Take the last lines from the log: an earlier follower may have shown them."""
        lines = self._connection.lines(self._container, follow=False, tail=LAST_LINES)
        async with contextlib.aclosing(lines) as entries:
            texts = [entry.text[:_LONGEST_KEPT_LINE] async for entry in entries]
        self._last_lines.clear()
        self._last_lines.extend(texts)

    async def _sample(self) -> None:
        """Look at what is used; an engine that does not answer this in time is as good as gone."""
        # What a container uses after the last look is not seen: one that ends soon is looked at often.
        for pause in look_pauses(longest=self._usage_seconds):
            self._usage = self._usage.with_sample(await self._connection.stats(self._container))
            await asyncio.sleep(pause)

    async def _return_of_engine(self) -> None:
        attempts = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_delay(self._away_seconds),
            wait=tenacity.wait_exponential_jitter(multiplier=0.1, max=5.0),
            retry=tenacity.retry_if_exception_type(LOST),
            reraise=True,
        )
        # An engine that answers and cuts every stream must not be asked without a pause.
        await asyncio.sleep(0.1)
        try:
            async for attempt in attempts:
                with attempt, contextlib.suppress(GoneError):
                    await self._connection.inspect(self._container)
        except LOST as error:
            raise DockerUnavailableError(
                f"the Docker engine has not answered for {self._away_seconds:.0f} s: {error!r}; "
                "the container may still run, and the next try finds it"
            ) from error

    def _note(self, **fields: Any) -> None:
        self.end = self.end.model_copy(
            update={
                "last_lines": tuple(self._last_lines),
                "peak_memory_mb": self._usage.peak_memory_mb,
                "cpu_seconds": self._usage.cpu_seconds,
                **fields,
            }
        )

    def _note_inspected(self, inspected: dict[str, Any]) -> None:
        state = inspected["State"]
        limit = inspected["HostConfig"]["Memory"] // _MEBIBYTE or None
        oom_killed = bool(state["OOMKilled"]) and state["ExitCode"] != 0
        self._note(
            exit_code=state["ExitCode"],
            error=state["Error"],
            oom_killed=oom_killed,
            memory_limit_mb=limit,
            started_at=state["StartedAt"],
            finished_at=state["FinishedAt"],
            # Between two looks it went up to the limit: that is why it was ended.
            peak_memory_mb=limit if oom_killed else self._usage.peak_memory_mb,
        )
