"""The place in the log is noted again and again, whatever one answer says."""

import asyncio
from typing import Any

import pytest

from airflow_mlops.operators import log_position
from airflow_mlops.operators.log_position import LogPosition


class Store(dict[str, Any]):
    """What Airflow keeps of a task instance; it does not answer the first time."""

    refusals = 1

    def set(self, key: str, value: Any) -> None:
        if self.refusals:
            self.refusals -= 1
            raise ConnectionError("no answer")
        self[key] = value


def test_a_note_that_fails_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_position, "_NOTE_SECONDS", 0.0)
    store = Store()
    position = LogPosition(store, ["one"])  # type: ignore[arg-type]
    position.move_to("2026-01-01T00:00:00Z")

    async def noted() -> None:
        noting = asyncio.create_task(position.keep_noted())
        while not store:
            await asyncio.sleep(0)
            assert not noting.done()
        noting.cancel()

    asyncio.run(asyncio.wait_for(noted(), 10))

    assert position.shown == "2026-01-01T00:00:00Z"
