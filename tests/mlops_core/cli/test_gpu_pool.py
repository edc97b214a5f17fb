"""The pool of GPUs has the size of the machine, and a person's own size stays."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mlops_core.cli.airflow_api import AirflowClient, Pool
from mlops_core.cli.gpu_pool import gpu_pool, gpu_slots, size_gpu_pool
from mlops_core.errors import PlatformError

POOLS = "/api/v2/pools"


class PoolsOfAirflow:
    """Keeps pools as Airflow's API does: none is made twice, and what is not sent has a default."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.changes = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "token"})
        name = request.url.path.removeprefix(POOLS).strip("/")
        if request.method == "GET":
            return httpx.Response(200 if name in self.kept else 404, json=self.kept.get(name, {"detail": ""}))
        self.changes += 1
        body = json.loads(request.content)
        known = "name" if request.method == "POST" else "pool"
        assert {known, "slots"} <= set(body) <= {known, "slots", "description", "include_deferred"}
        assert body["slots"] >= -1
        if request.method == "POST":
            if body["name"] in self.kept:
                return httpx.Response(409, json={"detail": "Unique constraint violation"})
            self.kept[body["name"]] = {"include_deferred": False, "description": None, **body}
            return httpx.Response(201, json=self.kept[body["name"]])
        assert request.method == "PATCH"
        assert body.pop("pool") == name
        self.kept[name] |= body
        return httpx.Response(200, json=self.kept[name])


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> PoolsOfAirflow:
    monkeypatch.delenv("MLOPS_GPU_SLOTS", raising=False)
    return PoolsOfAirflow()


@pytest.fixture
def airflow(pools: PoolsOfAirflow) -> Iterator[AirflowClient]:
    transport = httpx.MockTransport(pools)
    with AirflowClient("http://airflow", user="admin", password="open", transport=transport) as client:
        yield client


def slots(pools: PoolsOfAirflow) -> int:
    found: int = pools.kept["gpu"]["slots"]
    return found


def test_without_a_gpu_a_task_that_asks_for_any_number_starts(
    pools: PoolsOfAirflow, airflow: AirflowClient
) -> None:
    size_gpu_pool(airflow, gpus=0)

    assert slots(pools) == -1, "no limit, as Airflow reads it"


def test_a_task_that_waits_in_the_triggerer_keeps_its_slot_also_in_a_pool_of_before(
    pools: PoolsOfAirflow, airflow: AirflowClient
) -> None:
    size_gpu_pool(airflow, gpus=2)
    assert pools.kept["gpu"]["include_deferred"] is True

    pools.kept["gpu"] = {"name": "gpu", "slots": 3, "description": "mine", "include_deferred": False}
    size_gpu_pool(airflow, gpus=2)
    assert pools.kept["gpu"]["include_deferred"] is True


def test_a_gpu_that_is_added_later_is_counted_and_one_that_is_gone_is_not(
    pools: PoolsOfAirflow, airflow: AirflowClient
) -> None:
    counted = []
    for gpus in (0, 1, 2, 1, 0):
        size_gpu_pool(airflow, gpus=gpus)
        counted.append(slots(pools))

    assert counted == [-1, 1, 2, 1, -1]


def test_slots_that_a_person_has_changed_in_airflow_stay(
    pools: PoolsOfAirflow, airflow: AirflowClient
) -> None:
    size_gpu_pool(airflow, gpus=2)
    pools.kept["gpu"]["slots"] = 4

    size_gpu_pool(airflow, gpus=8)

    assert slots(pools) == 4


def test_the_variable_wins_over_the_machine_and_over_what_was_changed_in_airflow(
    pools: PoolsOfAirflow, airflow: AirflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_GPU_SLOTS", "3")
    size_gpu_pool(airflow, gpus=0)
    assert slots(pools) == 3

    pools.kept["gpu"]["slots"] = 7
    size_gpu_pool(airflow, gpus=0)
    assert slots(pools) == 3


def test_a_pool_that_is_right_is_left_alone(pools: PoolsOfAirflow, airflow: AirflowClient) -> None:
    size_gpu_pool(airflow, gpus=2)
    size_gpu_pool(airflow, gpus=2)

    assert pools.changes == 1


def test_tasks_are_told_of_a_pool_without_a_limit_by_a_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_GPU_SLOTS", "0")
    assert gpu_pool(gpu_slots(gpus=4)) == Pool(
        name="gpu", slots=-1, description="No GPU is visible: nothing to share", include_deferred=True
    )


@pytest.mark.parametrize("said", ["two", "-1", "1.5"])
def test_a_variable_that_is_no_number_is_named(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("MLOPS_GPU_SLOTS", said)
    with pytest.raises(PlatformError, match=rf"MLOPS_GPU_SLOTS='{said}' is no number of slots; give 0"):
        gpu_slots(gpus=1)
