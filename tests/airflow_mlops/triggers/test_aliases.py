"""The triggerer fires when an alias of MLflow is not what the ledger says, and not at every look."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from airflow_mlops.triggers import aliases as room
from airflow_mlops.triggers.aliases import AliasesTrigger
from mlops_core.errors import RegistryUnavailableError


def fired(monkeypatch: pytest.MonkeyPatch, looks: Sequence[Any], *, every_s: float) -> list[int]:
    """Return at which looks, counted from 1, the trigger fired."""
    trigger, events, look = AliasesTrigger(every_s=every_s), [], 0

    async def seen(_: object) -> tuple[str, ...]:
        nonlocal look
        if look == len(looks):
            raise EOFError
        look += 1
        if isinstance(looks[look - 1], Exception):
            raise looks[look - 1]
        return tuple(looks[look - 1])

    async def no_pause(_: float) -> None:
        return None

    async def watch() -> None:
        async for event in trigger.run():
            events.append((look, event.payload))  # noqa: PERF401  what ends the loop would take them along

    monkeypatch.setattr(AliasesTrigger, "_look", seen)
    monkeypatch.setattr(room.asyncio, "sleep", no_pause)
    with pytest.raises(EOFError):
        asyncio.run(watch())
    assert all(payload == {"models": ["life"]} for _, payload in events)
    return [at for at, _ in events]


LIFE = ["life"]


def test_it_fires_once_for_a_difference_and_again_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fired(monkeypatch, [[], LIFE, LIFE, [], [], LIFE], every_s=15) == [2, 6]


def test_a_difference_that_stays_is_told_again_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fired(monkeypatch, [LIFE] * 10, every_s=15) == [1, 5, 9]


def test_servers_that_do_not_answer_are_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    away = RegistryUnavailableError("away")

    assert fired(monkeypatch, [away, LIFE], every_s=15) == [2]


def test_another_triggerer_goes_on_with_the_same_trigger() -> None:
    path, arguments = AliasesTrigger(mlflow_conn_id="other", every_s=5).serialize()

    assert path == f"{AliasesTrigger.__module__}.{AliasesTrigger.__qualname__}"
    assert AliasesTrigger(**arguments).serialize() == (path, arguments)
