"""Train jobs in containers: what the run says of one that was killed, and the contract of every runner."""

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import numpy as np
import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout
from mlflow import MlflowClient

import toy_models
from airflow_mlops.operators.training import TrainOperator
from mlops_core.containers.ended import Ended, NodeEnd
from mlops_core.containers.engine import ContainerEngine, Started
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import (
    ContainerError,
    ContainerFailedError,
    ContainerLostError,
    ContainerOutOfMemoryError,
    DeclarationError,
    DockerUnavailableError,
)
from mlops_core.pipeline import HoldoutSplit
from mlops_core.runners import Docker
from mlops_core.tracking import finish_run, tracking_client
from mlops_core.training.job import TrainJob, TrainResult
from mlops_core.training.run import adopt_run
from mlops_core.training.split import holdout_split
from trained_models import load_trained
from training_containers import set_training_variables

FAILED = NodeEnd(id="one", exit_code=137, cpu_seconds=3.0, peak_memory_mb=40.0)
OUT_OF_MEMORY = FAILED.model_copy(update={"oom_killed": True, "memory_limit_mb": 64})


class TaskInstance(SimpleNamespace):
    """The last try of a task but one; ``state`` is what Airflow says of it now."""

    state = "running"

    def get_task_states(self, **_: Any) -> dict[str, Any]:
        return {self.run_id: {self.task_id: self.state}}


class Store(dict[str, Any]):
    """What Airflow keeps of one task instance across its tries."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


@pytest.fixture
def context(tmp_path: Path) -> Any:
    instance = TaskInstance(
        dag_id=tmp_path.name, run_id="run", task_id="train", map_index=-1, try_number=1, max_tries=1
    )
    run = SimpleNamespace(clear_number=0)
    return {"ti": instance, "task_state_store": Store(), "dag_run": run}


@pytest.fixture(scope="session")
def data_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("data")
    # A container that fits is another user.
    folder.chmod(0o755)
    for partition in toy_models.PARTITIONS:
        SnapshotStore(str(folder)).write_partition("toy_binary", partition, toy_models.load(partition))
    return str(folder)


@pytest.fixture
def job(data_uri: str, local_tracking_uri: str) -> TrainJob:
    store = SnapshotStore(data_uri)
    snapshot = store.current("toy_binary")
    return TrainJob(
        pipeline="toy_binary",
        reference="toy_models:BINARY",
        candidate="trees",
        snapshot=snapshot,
        split=holdout_split(store.partitions(snapshot), HoldoutSplit()),
        parameters={"iterations": 5},
        seed=3,
        operation_key=f"{uuid.uuid4().hex}/train",
        tracking_uri=local_tracking_uri,
        data_uri=data_uri,
    )


def operator_of(job: TrainJob, declared: Docker, monkeypatch: pytest.MonkeyPatch) -> TrainOperator:
    """Return the task of a job, whose candidate is declared to be fitted so."""
    operator = TrainOperator(task_id="train", pipeline=job.reference, job=job.model_dump(mode="json"))
    mlflow = SimpleNamespace(sign_in=lambda: job.tracking_uri, run_url=lambda *_, **__: "http://run")
    client = tracking_client(job.tracking_uri)
    for name, value in {"_runner": declared, "mlflow": mlflow, "mlflow_client": client}.items():
        monkeypatch.setitem(operator.__dict__, name, value)
    return operator


Ending = Callable[[TrainOperator], Ended]


@pytest.fixture
def train(job: TrainJob, monkeypatch: pytest.MonkeyPatch, context: Any) -> Callable[..., None]:
    """Fit in a container that begins its run, and then ends in some way."""

    def fit(
        ending: Ending,
        *,
        begins: bool = True,
        client: MlflowClient | None = None,
        removal: Exception | None = None,
    ) -> None:
        engine = create_autospec(ContainerEngine, instance=True)
        engine.remove.side_effect = removal
        engine.start.return_value = Started(ids=("one",), how="created")
        engine.result.return_value = None
        operator = operator_of(job, Docker(), monkeypatch)
        monkeypatch.setitem(operator.__dict__, "engine", engine)
        if begins:
            adopt_run(tracking_client(job.tracking_uri), job)
        if client is not None:
            monkeypatch.setitem(operator.__dict__, "mlflow_client", client)

        async def follow(*_: Any, **__: Any) -> Ended:
            ended = ending(operator)
            await asyncio.sleep(0)
            return ended

        monkeypatch.setattr("mlops_core.containers.follow.follow", follow)
        operator.step(context)

    return fit


def ends(node: NodeEnd) -> Ending:
    return lambda _: Ended(nodes=(node,))


def run_of(job: TrainJob) -> Any:
    client = tracking_client(job.tracking_uri)
    experiment = client.get_experiment_by_name(job.pipeline)
    if experiment is None:
        return None
    found = client.search_runs([experiment.experiment_id], f"tags.`mlops.caused_by` = '{job.operation_key}'")
    return found[0] if found else None


def test_a_training_that_needed_too_much_memory_has_failed_and_says_what_it_used(
    train: Callable[..., None], job: TrainJob
) -> None:
    with pytest.raises(ContainerOutOfMemoryError):
        train(ends(OUT_OF_MEMORY))

    run = run_of(job)
    assert run.info.status == "FAILED"
    assert run.data.metrics == {"system/cpu_seconds": 3.0, "system/peak_memory_mb": 40.0}


def test_a_training_that_is_tried_again_goes_on_in_its_run(
    train: Callable[..., None], job: TrainJob, context: Any
) -> None:
    with pytest.raises(ContainerFailedError):
        train(ends(FAILED))
    assert run_of(job).info.status == "RUNNING"

    context["ti"].try_number = 2
    with pytest.raises(ContainerFailedError):
        train(ends(FAILED))
    assert run_of(job).info.status == "FAILED"


def test_a_training_that_has_had_its_time_for_the_last_time_has_failed(
    train: Callable[..., None], job: TrainJob, context: Any
) -> None:
    def time_is_up(_: TrainOperator) -> Ended:
        raise AirflowTaskTimeout

    context["ti"].try_number = 2
    with pytest.raises(AirflowTaskTimeout):
        train(time_is_up)

    assert run_of(job).info.status == "FAILED"


def test_a_training_whose_engine_stays_away_for_the_last_time_has_failed(
    train: Callable[..., None], job: TrainJob, context: Any
) -> None:
    def engine_is_away(_: TrainOperator) -> Ended:
        raise DockerUnavailableError("no answer")

    with pytest.raises(DockerUnavailableError):
        train(engine_is_away)
    assert run_of(job).info.status == "RUNNING"

    context["ti"].try_number = 2
    with pytest.raises(DockerUnavailableError):
        train(engine_is_away)
    assert run_of(job).info.status == "FAILED"


def test_a_deferred_training_whose_engine_stays_away_for_the_last_time_has_failed(
    job: TrainJob, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = operator_of(job, Docker(), monkeypatch)
    monkeypatch.setitem(operator.__dict__, "engine", create_autospec(ContainerEngine, instance=True))
    adopt_run(tracking_client(job.tracking_uri), job)
    event = {"unavailable": "no answer", "ids": ["one"], "since": None}

    with pytest.raises(DockerUnavailableError):
        operator.execute_complete(context, event, ["one"])
    assert run_of(job).info.status == "RUNNING"

    context["ti"].try_number = 2
    with pytest.raises(DockerUnavailableError):
        operator.execute_complete(context, event, ["one"])
    assert run_of(job).info.status == "FAILED"


@pytest.mark.parametrize("removal", [None, ContainerError("the engine refused")])
def test_a_training_that_a_person_ends_is_killed(
    train: Callable[..., None], job: TrainJob, context: Any, removal: Exception | None
) -> None:
    def told_to_end(operator: TrainOperator) -> Ended:
        operator.on_kill()
        raise asyncio.CancelledError

    context["ti"].state = "failed"
    with pytest.raises(ContainerLostError):
        train(told_to_end, removal=removal)

    assert run_of(job).info.status == "KILLED"


def test_a_run_that_is_finished_stays_as_it_is(
    train: Callable[..., None], job: TrainJob, context: Any
) -> None:
    client = tracking_client(job.tracking_uri)
    finish_run(client, adopt_run(client, job), succeeded=True)

    context["ti"].try_number = 2
    with pytest.raises(ContainerFailedError):
        train(ends(FAILED))

    run = run_of(job)
    assert (run.info.status, run.data.metrics) == ("FINISHED", {})


def test_the_run_of_another_job_stays_as_it_is(train: Callable[..., None], job: TrainJob) -> None:
    client = tracking_client(job.tracking_uri)
    other = job.model_copy(update={"seed": 4})
    adopt_run(client, other)

    with pytest.raises(ContainerOutOfMemoryError):
        train(ends(OUT_OF_MEMORY), begins=False)

    assert run_of(job).info.status == "RUNNING"


@pytest.mark.parametrize("answers", [True, False])
def test_an_mlflow_that_knows_no_run_does_not_hide_how_the_containers_ended(
    train: Callable[..., None], job: TrainJob, *, answers: bool
) -> None:
    silent = create_autospec(MlflowClient, instance=True)
    silent.get_experiment_by_name.side_effect = ConnectionError("no answer")

    with pytest.raises(ContainerOutOfMemoryError):
        train(ends(OUT_OF_MEMORY), begins=False, client=None if answers else silent)

    assert run_of(job) is None
    assert answers or silent.get_experiment_by_name.call_count == 2


def test_containers_that_cannot_be_removed_do_not_hide_how_they_ended(
    train: Callable[..., None], job: TrainJob
) -> None:
    with pytest.raises(ContainerOutOfMemoryError):
        train(ends(OUT_OF_MEMORY), removal=ContainerError("the engine refused"))

    assert run_of(job).info.status == "FAILED"


@pytest.fixture
def fitted(
    job: TrainJob,
    context: Any,
    monkeypatch: pytest.MonkeyPatch,
    docker_engine: str,  # noqa: ARG001  it is there
    python_image: str,
    mlflow_server: Any,
) -> Callable[..., TrainResult]:
    """Fit in real containers; a container sees the server, and no files of this machine."""
    set_training_variables(monkeypatch, python_image, Path(job.data_uri))
    served = job.model_copy(update={"tracking_uri": mlflow_server.uri})

    def fit(declared: Docker, **fields: Any) -> TrainResult:
        result = operator_of(served.model_copy(update=fields), declared, monkeypatch).step(context)
        assert result.candidate == job.candidate
        return result

    fit.job = served  # type: ignore[attr-defined]
    return fit


@pytest.mark.integration
def test_a_container_answers_with_a_model_that_can_be_loaded(fitted: Any) -> None:
    result = fitted(Docker(memory_mb=1024, cpus=2))

    model = load_trained(result, fitted.job)
    assert np.isfinite(model.predict(toy_models.load("2013-03").to_pandas()).scores).all()


@pytest.mark.integration
def test_of_several_processes_one_answers(fitted: Any) -> None:
    result = fitted(Docker(memory_mb=2048, cpus=2, processes=2))

    run = run_of(fitted.job)
    assert (run.info.run_id, run.info.status) == (result.run_id, "FINISHED")


@pytest.mark.integration
def test_a_container_raises_what_the_job_raises(fitted: Any) -> None:
    with pytest.raises(DeclarationError, match="no candidate 'forest'"):
        fitted(Docker(memory_mb=1024, cpus=2), candidate="forest")
