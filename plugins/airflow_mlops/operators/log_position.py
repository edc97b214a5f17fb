"""How far a task's log has come in what its containers write, kept across its tries."""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk.execution_time.context import TaskStateStoreAccessor
    from pydantic import JsonValue

_KEY = "mlops_container"
_NOTE_SECONDS = 5.0

log = logging.getLogger(__name__)


class LogPosition:
    """The time stamp of the last line that the log shows of some containers.

    Noting it costs a request to Airflow, so lines are noted together; after a kill, those of the last seconds
    are shown again.
    """

    def __init__(self, store: "TaskStateStoreAccessor", ids: Sequence[str]) -> None:
        self._store = store
        self._ids: list[JsonValue] = list(ids)
        self._now = self._noted = ""

    @property
    def shown(self) -> str | None:
        """What an earlier try has noted of the very same containers; None where there is nothing."""
        noted = self._store.get(_KEY)
        if not isinstance(noted, dict) or noted.get("ids") != self._ids:
            return None
        since = noted.get("since")
        return since if isinstance(since, str) and since else None

    def note(self, timestamp: str | None) -> None:
        """Note the containers, and the last line that was shown of them, if there is one."""
        now = self._now = timestamp or ""
        self._store.set(_KEY, {"ids": self._ids, "since": now})
        self._noted = now

    def move_to(self, timestamp: str) -> None:
        """Remember that the log has come so far; ``keep_noted`` notes it."""
        self._now = timestamp

    async def keep_noted(self) -> None:
        """Note where the log is, every few seconds in which it has moved.

        Where Airflow does not take a note, the next one says more.
        """
        while True:
            await asyncio.sleep(_NOTE_SECONDS)
            if self._now != self._noted:
                try:
                    self.note(self._now)
                except Exception as error:  # noqa: BLE001  a place in the log is worth no container
                    log.warning("the place in the log is not noted: %s", error)
