"""Where tasks of containers wait for their turn, unless their DAG says otherwise."""

from typing import Any

import pytest
from airflow.sdk import DAG, ExceptionRetryPolicy

from airflow_mlops.operators.docker import DockerJobOperator, GpuDockerOperator
from airflow_mlops.retries import RETRY_POLICY
from mlops_core.containers.specification import ContainerSpec

SPEC = ContainerSpec(image="image", command=("program",))


@pytest.fixture(autouse=True)
def _queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_TRAINING_QUEUE", "training")


@pytest.mark.parametrize("kind", [DockerJobOperator, GpuDockerOperator])
def test_the_default_arguments_of_a_dag_win(kind: Any) -> None:
    own = {"retry_policy": ExceptionRetryPolicy(rules=[]), "queue": "own", "pool": "shared"}

    with DAG("own_place", schedule=None, default_args=own):
        operator = kind(task_id="task", container=SPEC)

    assert {name: getattr(operator, name) for name in own} == own


def test_a_task_on_gpus_keeps_what_its_dag_says_nothing_of() -> None:
    with DAG("own_queue", schedule=None, default_args={"queue": "own"}):
        operator = GpuDockerOperator(task_id="task", container=SPEC, gpus=2)

    assert (operator.queue, operator.pool, operator.pool_slots) == ("own", "gpu", 2)
    assert operator.retry_policy is RETRY_POLICY


def test_what_the_task_says_itself_wins_over_its_place() -> None:
    operator = GpuDockerOperator(task_id="task", container=SPEC, pool="own", queue=None)

    assert (operator.pool, operator.queue) == ("own", "training")
