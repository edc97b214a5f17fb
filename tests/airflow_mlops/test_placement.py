"""A task that asks for GPUs always starts: it never takes more slots than its pool has."""

from typing import Any

import pytest

from airflow_mlops.operators.docker import GpuDockerOperator
from airflow_mlops.pipelines.training import training_dag
from airflow_mlops.placement import gpu_slots
from mlops_core.containers.specification import ContainerSpec
from mlops_core.runners import Docker
from toy_models import BINARY


@pytest.mark.parametrize(
    ("said", "wanted", "taken"),
    [("1", 2, 1), ("4", 2, 2), ("4", 8, 4), ("0", 8, 8), (None, 8, 8)],
    ids=["one of two", "as asked", "the whole pool", "no limit", "not known"],
)
def test_a_task_takes_what_it_asks_for_and_at_most_the_whole_pool(
    monkeypatch: pytest.MonkeyPatch, said: str | None, wanted: int, taken: int
) -> None:
    monkeypatch.delenv("MLOPS_GPU_SLOTS", raising=False)
    if said is not None:
        monkeypatch.setenv("MLOPS_GPU_SLOTS", said)

    assert gpu_slots(wanted) == taken
    spec = ContainerSpec(image="image", command=("true",), memory_mb=128)
    both: list[Any] = [wanted, tuple(f"GPU-{number}" for number in range(wanted))]
    for gpus in both:
        operator = GpuDockerOperator(task_id="t", container=spec, gpus=gpus, cpu_fallback=True)
        assert (operator.pool, operator.pool_slots) == ("gpu", taken)


def test_all_candidates_start_where_one_asks_for_more_gpus_than_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLOPS_GPU_SLOTS", "1")
    (candidate, *others) = BINARY.candidates
    large = candidate.model_copy(update={"runner": Docker(memory_mb=512, gpus=4, nodes=2)})
    pipeline = BINARY.model_copy(update={"candidates": (large, *others)})

    train = training_dag(pipeline, reference="toy_models:BINARY").get_task("train")

    assert (train.pool, train.pool_slots) == ("gpu", 1)
