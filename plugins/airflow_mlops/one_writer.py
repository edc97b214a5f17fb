"""Lets an API server on SQLite write one request at a time.

Airflow notes who changes something by a commit on the server's event loop (``action_logging``, an ``async``
dependency), while its other writes happen in threads whose own commit needs that loop. Where the database has
one write lock, the loop waits for the thread and the thread for the loop: nothing is answered until SQLite
gives up, the driver's ``timeout`` later, and the request that noted fails. Two changes at the same moment are
enough. A database with row locks knows nothing of it, and gets no middleware.
"""

import asyncio
from typing import Any

from airflow.configuration import conf
from starlette.types import ASGIApp, Receive, Scope, Send

PATIENCE_SECONDS = 10.0
"""How long a request waits for its turn: one that is slow for another reason must not stop the others."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
# Whatever a plugin serves reaches the database through these, and may call them while it answers.
_WRITERS = ("/api/v2/", "/execution/", "/ui/")


class OneWriterMiddleware:
    """Answers requests that may change Airflow's database one after the other; reads go on beside them."""

    def __init__(self, app: ASGIApp, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._app = app
        self._patience_seconds = patience_seconds
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request when its turn has come."""
        if not _may_write(scope):
            await self._app(scope, receive, send)
            return
        try:
            await asyncio.wait_for(self._turn.acquire(), self._patience_seconds)
        except TimeoutError:
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._turn.release()


def middlewares() -> list[dict[str, Any]]:
    """Return what an API server needs in front of this Airflow's database, as a plugin tells it."""
    if not conf.get("database", "sql_alchemy_conn").startswith("sqlite"):
        return []
    return [{"name": "One writer at a time on SQLite", "middleware": OneWriterMiddleware}]


def _may_write(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] in _READS:
        return False
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return bool(path.startswith(_WRITERS))
