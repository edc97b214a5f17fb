"""What crashes left is removed, what a task still waits for is not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from airflow_mlops.operators.sweep import SweepContainersOperator
from mlops_core.containers.address import EngineAddress, connect
from mlops_core.containers.engine import ContainerEngine
from mlops_core.containers.specification import ContainerJob, ContainerSpec

STACK = "of the tests"


@pytest.fixture(autouse=True)
def _own_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_STACK_NAME", STACK)


class TaskInstance:
    """Answers for the tasks of one DAG run, as Airflow does."""

    def __init__(self, states: dict[str, str | None]) -> None:
        self.states = states

    def get_task_states(self, *, dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, Any]:
        del dag_id
        found = {name: state for name, state in self.states.items() if name.partition("_")[0] in task_ids}
        return {run_ids[0]: found} if found else {}


@pytest.fixture
def engine(docker_engine: str, tmp_path: Path) -> Iterator[ContainerEngine]:
    with ContainerEngine(connect(EngineAddress(url=docker_engine))) as engine:
        yield engine
        for found in engine.managed():
            if found.labels.get("mlops.dag_id") == tmp_path.name:
                engine.remove(found.job_name, files=True)


@pytest.fixture
def start(engine: ContainerEngine, python_image: str, tmp_path: Path) -> Any:
    def started(
        task_id: str, *, map_index: int = -1, of_airflow: bool = True, stack: str = STACK
    ) -> ContainerJob:
        labels = {"mlops.dag_id": tmp_path.name, "mlops.run_id": "run", "mlops.task_id": task_id}
        labels["mlops.stack"] = stack
        job = ContainerJob(
            key=f"{tmp_path.name}/{task_id}/{map_index}",
            spec=ContainerSpec(image=python_image, command=("sleep", "600"), memory_mb=32),
            labels={**labels, "mlops.map_index": str(map_index)} if of_airflow else {},
        )
        engine.start(job)
        return job

    return started


def sweep(url: str, states: dict[str, str | None], engine: ContainerEngine, only: str) -> set[str]:
    """Sweep this test's containers alone: others on the engine belong to others."""
    operator = SweepContainersOperator(task_id="sweep", docker_url=url)
    is_alive = operator.aliveness({"ti": TaskInstance(states)})
    removed = engine.sweep(lambda found: found.labels.get("mlops.dag_id") != only or is_alive(found))
    return {thing.name for thing in removed}


@pytest.mark.integration
def test_what_no_task_waits_for_is_removed_with_its_volume(
    docker_engine: str, engine: ContainerEngine, start: Any, tmp_path: Path
) -> None:
    ended, gone, mapped = start("ended"), start("gone"), start("mapped", map_index=1)
    waiting = [
        start("elsewhere", stack="another"),
        start("running"),
        start("retrying"),
        start("cleared"),
        start("mapped", map_index=0),
    ]
    states = {
        "ended": "failed",
        "running": "running",
        "retrying": "up_for_retry",
        "cleared": None,
        "mapped_0": "deferred",
        "mapped_1": "success",
    }

    removed = sweep(docker_engine, states, engine, tmp_path.name)

    expected = {name for job in (ended, gone, mapped) for name in (*job.node_names, *job.volume_names)}
    assert removed == expected
    left = {found.job_name for found in engine.managed()}
    assert {job.name for job in waiting} <= left


@pytest.mark.integration
def test_a_container_of_no_airflow_task_is_left_alone(
    docker_engine: str, engine: ContainerEngine, start: Any
) -> None:
    job = start("other", of_airflow=False)
    operator = SweepContainersOperator(task_id="sweep", docker_url=docker_engine)
    (found,) = [container for container in engine.managed() if container.job_name == job.name]

    assert operator.aliveness({"ti": TaskInstance({})})(found)

    engine.remove(job, files=True)


def test_without_an_engine_there_is_nothing_to_do(tmp_path: Path) -> None:
    operator = SweepContainersOperator(task_id="sweep", docker_url=f"unix://{tmp_path}/none.sock")

    with pytest.raises(AirflowSkipException, match="does not answer"):
        operator.step({"ti": TaskInstance({})})
