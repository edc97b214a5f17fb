"""Requests that may write take turns on SQLite, and only there; the e2e tests show what that is good for."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from airflow_mlops.one_writer import OneWriterMiddleware, middlewares
from airflow_mlops.plugin import MlopsPlugin

_PATIENCE_SECONDS = 600.0
_HANGS_AFTER_SECONDS = 60.0
_TURNS = 100


class _Server:
    """Knows how many requests it had at once.

    It answers none before all are sent and ``together`` of them are inside.
    """

    def __init__(self, *, together: int = 1, patience_seconds: float = _PATIENCE_SECONDS) -> None:
        self.now = self.most = self.answered = 0
        self._together = together
        self._unsent = 0
        self._answers = asyncio.Event()
        self._middleware = OneWriterMiddleware(self._answer, patience_seconds=patience_seconds)

    async def ask(self, requests: Sequence[tuple[str, str]], *, root_path: str = "") -> list[int]:
        """Send requests at once and return the codes of the answers."""
        self._unsent = len(requests)
        transport = httpx.ASGITransport(app=self._take, root_path=root_path, raise_app_exceptions=False)
        async with (
            asyncio.timeout(_HANGS_AFTER_SECONDS),
            httpx.AsyncClient(transport=transport, base_url="http://airflow") as client,
        ):
            asked = [client.request(method, root_path + path) for method, path in requests]
            return [answer.status_code for answer in await asyncio.gather(*asked)]

    async def _take(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._unsent -= 1
        self._look()
        await self._middleware(scope, receive, send)

    async def _answer(self, scope: Scope, _receive: Receive, send: Send) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        self._look()
        try:
            await self._answers.wait()
            # Whoever can come in now does.
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            if scope["path"].endswith("broken"):
                raise ValueError("broken")
        finally:
            self.now -= 1
        self.answered += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def _look(self) -> None:
        if not self._unsent and self.now >= self._together:
            self._answers.set()


@pytest.mark.parametrize("root_path", ["", "/below"])
@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/api/v2/variables", "/execution/task-instances/1/state", "/ui/backfills"])
def test_what_may_write_is_answered_one_after_the_other(method: str, path: str, root_path: str) -> None:
    server = _Server()
    assert asyncio.run(server.ask([(method, path)] * 5, root_path=root_path)) == [200] * 5
    assert (server.answered, server.most) == (5, 1)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v2/dags"),
        ("HEAD", "/api/v2/dags"),
        ("POST", "/mlops/models/m/retrain"),
        ("POST", "/auth/token"),
    ],
)
def test_reads_and_what_plugins_serve_wait_for_nobody(method: str, path: str) -> None:
    server = _Server(together=5)
    assert asyncio.run(server.ask([(method, path)] * 4 + [("POST", "/api/v2/variables")])) == [200] * 5


def test_a_request_that_breaks_gives_its_turn_on() -> None:
    requests = [("POST", "/api/v2/broken"), ("POST", "/api/v2/variables")]
    assert asyncio.run(_Server().ask(requests)) == [500, 200]


def test_a_slow_request_keeps_the_others_no_longer_than_their_patience() -> None:
    server = _Server(together=3, patience_seconds=0.01)
    assert asyncio.run(server.ask([("POST", "/api/v2/variables")] * 3)) == [200] * 3


@pytest.mark.parametrize(
    ("database", "classes"),
    [
        ("sqlite:////data/airflow.db?timeout=60", [OneWriterMiddleware]),
        ("postgresql+psycopg2://db/airflow", []),
    ],
)
def test_only_sqlite_gets_it(database: str, classes: list[type], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", database)
    assert [middleware["middleware"] for middleware in middlewares()] == classes
    assert [middleware["middleware"] for middleware in MlopsPlugin().fastapi_root_middlewares] == classes
