"""What the engine itself says about the containers of a run: who lived when, and what is left."""

import contextlib
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import docker
from docker.errors import DockerException, NotFound
from requests.exceptions import RequestException

_LOST = (DockerException, RequestException, OSError)
_PAUSE_SECONDS = 1.0
_LIFE_EVENTS = {"type": "container", "event": ["start", "die"]}


@dataclass
class Life:
    """The containers of one DAG run."""

    started: list[str] = field(default_factory=list)
    alive: set[str] = field(default_factory=set)
    most_alive: int = 0


class EngineWatch:
    """Listens to the engine's events from beginning to end, so that nothing is too short to be seen."""

    def __init__(self, url: str) -> None:
        self.client = docker.APIClient(base_url=url, version="auto", timeout=30)
        self._events = docker.APIClient(base_url=url, version="auto", timeout=30)
        self._lives: dict[str, Life] = defaultdict(Life)
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._heard_ns = _nanoseconds(self.client.info()["SystemTime"])
        self._listener = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._listener.join()
        for run_id in list(self._lives):
            self.remove_all(run_id)
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

    def containers(self, run_id: str) -> list[str]:
        """Name the containers of a run that are there, in whatever state."""
        found = self.client.containers(all=True, filters=_of_run(run_id))
        return [container["Names"][0].removeprefix("/") for container in found]

    def output(self, run_id: str) -> str:
        """Return what the containers of a run have written, whoever follows them."""
        with contextlib.suppress(NotFound):
            return "".join(self.client.logs(name).decode() for name in self.containers(run_id))
        return ""

    def volumes(self, run_id: str) -> list[str]:
        """Name the volumes of a run that are there."""
        return [volume["Name"] for volume in self.client.volumes(filters=_of_run(run_id))["Volumes"] or ()]

    def kill(self, run_id: str) -> None:
        """Kill the containers of a run, as an engine does that is restarted."""
        for container in self.client.containers(quiet=True, filters=_of_run(run_id)):
            self.client.kill(container["Id"])

    def remove_all(self, run_id: str) -> None:
        """Remove what a row has left, so that the next ones and the machine do not suffer from it."""
        for container in self.client.containers(all=True, quiet=True, filters=_of_run(run_id)):
            with contextlib.suppress(DockerException):
                self.client.remove_container(container["Id"], force=True)
        for volume in self.volumes(run_id):
            with contextlib.suppress(DockerException):
                self.client.remove_volume(volume)

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


def _of_run(run_id: str) -> dict[str, Any]:
    return {"label": f"mlops.run_id={run_id}"}
