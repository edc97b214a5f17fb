"""What the engine itself says about the containers of a run: who lived when, and what is left."""

import contextlib
import io
import tarfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import docker
from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from faults.work import TOLD
from mlops_core.containers.specification import WORK

_LOST = (DockerException, RequestException, OSError)
_PAUSE_SECONDS = 1.0
_ANSWER_WITHIN_SECONDS = 120
_LIFE_EVENTS = {"type": "container", "event": ["start", "die"]}

# What an engine that is not reached has is not known: asked again, never taken for nothing.
_patiently = retry(
    retry=retry_if_exception_type(_LOST),
    stop=stop_after_delay(_ANSWER_WITHIN_SECONDS),
    wait=wait_fixed(_PAUSE_SECONDS),
    reraise=True,
)


@dataclass
class Life:
    """The containers of one DAG run."""

    started: list[str] = field(default_factory=list)
    alive: set[str] = field(default_factory=set)
    most_alive: int = 0


class EngineWatch:
    """Listens to the engine's events from beginning to end, so that nothing is too short to be seen."""

    def __init__(self, url: str) -> None:
        self.client = docker.APIClient(base_url=url, version="auto", timeout=_ANSWER_WITHIN_SECONDS)
        self._events = docker.APIClient(base_url=url, version="auto", timeout=_ANSWER_WITHIN_SECONDS)
        self._lives: dict[str, Life] = defaultdict(Life)
        self._lock = threading.Lock()
        self._not_to_tell: set[str] = set()
        self._closed = threading.Event()
        self._heard_ns = _nanoseconds(self.client.info()["SystemTime"])
        self._listener = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._listener.join()
        self._events.close()
        self.client.close()

    def answers(self) -> bool:
        """Whether the engine is there."""
        with contextlib.suppress(*_LOST):
            return bool(self.client.ping())
        return False

    def life(self, run_id: str) -> Life:
        """Return what is known by now of a run's containers."""
        with self._lock:
            life = self._lives[run_id]
            return Life(list(life.started), set(life.alive), life.most_alive)

    @_patiently
    def containers(self, run_id: str) -> list[str]:
        """Name the containers of a run that are there, in whatever state."""
        found = self.client.containers(all=True, filters=_of_run(run_id))
        return [container["Names"][0].removeprefix("/") for container in found]

    @_patiently
    def output(self, run_id: str) -> str:
        """Return what the containers of a run have written, whoever follows them."""
        with contextlib.suppress(NotFound):
            return "".join(self.client.logs(name).decode() for name in self.containers(run_id))
        return ""

    @_patiently
    def timestamp(self, run_id: str, ending: str) -> str | None:
        """Return when the container of a run wrote the line with this end; None if it has not yet."""
        with contextlib.suppress(NotFound):
            logs = [self.client.logs(name, timestamps=True).decode() for name in self.containers(run_id)]
            found = (line for log in logs for line in log.splitlines() if line.endswith(ending))
            return next((line.split(" ")[0] for line in found), None)
        return None

    @_patiently
    def volumes(self, run_id: str) -> list[str]:
        """Name the volumes of a run that are there."""
        return [volume["Name"] for volume in self.client.volumes(filters=_of_run(run_id))["Volumes"] or ()]

    @_patiently
    def tell(self, run_id: str) -> None:
        """Let the containers of a run that run now go on to their end."""
        for container in self._running(run_id) - self._not_to_tell:
            with contextlib.suppress(NotFound):
                self.client.put_archive(container, WORK, _told())
                self._not_to_tell.add(container)

    @_patiently
    def hold(self, run_id: str) -> None:
        """Let the containers of a run that run now never go on: they must be removed before."""
        self._not_to_tell |= self._running(run_id)

    def kill(self, run_id: str) -> None:
        """Kill the containers of a run, as an engine does that is restarted."""
        for container in self._running(run_id):
            self.client.kill(container)

    def remove_all(self, run_id: str) -> None:
        """Remove what a row has left, so that the next ones and the machine do not suffer from it."""
        for container in self.containers(run_id):
            with contextlib.suppress(*_LOST):
                self.client.remove_container(container, force=True)
        for volume in self.volumes(run_id):
            with contextlib.suppress(*_LOST):
                self.client.remove_volume(volume)

    def _running(self, run_id: str) -> set[str]:
        return {found["Id"] for found in self.client.containers(quiet=True, filters=_of_run(run_id))}

    def _listen(self) -> None:
        while not self._closed.is_set():
            try:
                self._hear()
            except _LOST:
                self._closed.wait(_PAUSE_SECONDS)
                with contextlib.suppress(*_LOST):
                    self._forget_the_dead()

    def _hear(self) -> None:
        """Take the events since the last one; the engine ends the stream, so that nobody has to cut it."""
        since = f"{self._heard_ns // 10**9}.{self._heard_ns % 10**9:09}"
        until = f"{time.time() + _PAUSE_SECONDS:.9f}"
        for event in self._events.events(since=since, until=until, filters=_LIFE_EVENTS, decode=True):
            if event["timeNano"] > self._heard_ns:
                self._heard_ns = event["timeNano"]
                self._note(event)

    def _note(self, event: dict[str, Any]) -> None:
        run_id = event["Actor"]["Attributes"].get("mlops.run_id")
        if run_id is None:
            return
        container = event["Actor"]["ID"]
        with self._lock:
            life = self._lives[run_id]
            if event["Action"] == "die":
                life.alive.discard(container)
                return
            life.started.append(container)
            life.alive.add(container)
            life.most_alive = max(life.most_alive, len(life.alive))

    def _forget_the_dead(self) -> None:
        """An engine that went away took containers with it, and nobody was told."""
        running = {container["Id"] for container in self.client.containers(quiet=True)}
        with self._lock:
            for life in self._lives.values():
                life.alive &= running


def _nanoseconds(written: str) -> int:
    return int(datetime.fromisoformat(written).timestamp() * 10**9)


def _told() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(TOLD))
    return content.getvalue()


def _of_run(run_id: str) -> dict[str, Any]:
    return {"label": f"mlops.run_id={run_id}"}
