"""Containers as tasks, against a real engine: what a try leaves is what the next one finds."""

import asyncio
import io
import json
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest
from airflow.sdk import DAG, ExceptionRetryPolicy, task
from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferred
from mlflow import MlflowClient
from structlog.testing import capture_logs

from airflow_mlops.operators import container
from airflow_mlops.operators.container import ContainerOperator
from airflow_mlops.operators.docker import DockerJobOperator, GpuDockerOperator
from airflow_mlops.operators.step import effect_key
from airflow_mlops.retries import RETRY_POLICY
from airflow_mlops.triggers.container import ContainerTrigger
from mlops_core.containers import create, gpus
from mlops_core.containers import follow as following
from mlops_core.containers.address import EngineAddress, connect
from mlops_core.containers.connection import Connection
from mlops_core.containers.ended import Ended, NodeEnd
from mlops_core.containers.engine import ContainerEngine
from mlops_core.containers.follow import Line, follow
from mlops_core.containers.labels import ManagedContainer
from mlops_core.containers.specification import WORK, ContainerJob, ContainerSpec, container_name
from mlops_core.errors import (
    ContainerError,
    ContainerFailedError,
    ContainerLostError,
    DeclarationError,
    DockerUnavailableError,
    GpuMissingError,
)
from mlops_core.operation import operation_key
from mlops_core.training.probes import GpuReading, VisibleGpus

pytestmark = pytest.mark.integration

WRITE = (
    "import json, os; "
    "json.dump({'answer': 42, 'token': os.urandom(8).hex()}, open('/mlops/work/r.json', 'w'))"
)
WAIT = "import time; print('waiting', flush=True); time.sleep(600)"
UNTIL_TOLD = (
    "import pathlib, time\nprint('waiting', flush=True)\n"
    "while not pathlib.Path('/mlops/work/told').exists(): time.sleep(0.05)\n"
)

SAY_MORE = f"{UNTIL_TOLD}print('told', flush=True)\n{WRITE}"

STACK = "of the tests"


@pytest.fixture(autouse=True)
def _own_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_STACK_NAME", STACK)


class Store(dict[str, Any]):
    """What Airflow keeps of one task instance across its tries."""

    def set(self, key: str, value: Any) -> None:
        json.dumps(value)
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


class TaskInstance(SimpleNamespace):
    """One try of a task; ``state`` is what Airflow says of it now."""

    state = "running"

    def get_task_states(self, **_: Any) -> dict[str, Any]:
        return {self.run_id: {self.task_id: self.state}}


@pytest.fixture
def context(tmp_path: Path) -> dict[str, Any]:
    instance = TaskInstance(
        dag_id=tmp_path.name, run_id="run", task_id="task", map_index=-1, try_number=1, max_tries=2
    )
    run = SimpleNamespace(clear_number=0)
    return {"ti": instance, "task_state_store": Store(), "dag_run": run}


@pytest.fixture
def engine(docker_engine: str, context: dict[str, Any]) -> Iterator[ContainerEngine]:
    with ContainerEngine(connect(EngineAddress(url=docker_engine))) as engine:
        yield engine
        engine.remove(container_name(operation_key(effect_key(context), STACK)), files=True)


def of_test(engine: ContainerEngine, context: dict[str, Any]) -> list[ManagedContainer]:
    dag_id = context["ti"].dag_id
    return [found for found in engine.managed() if found.labels.get("mlops.dag_id") == dag_id]


@pytest.fixture
def make(docker_engine: str, python_image: str) -> Any:
    def operator(code: str, *, memory_mb: int = 128, **options: Any) -> DockerJobOperator:
        spec = ContainerSpec(
            image=python_image, command=("python3", "-u", "-c", code), memory_mb=memory_mb, cpus=1
        )
        return DockerJobOperator(task_id="task", container=spec, docker_url=docker_engine, **options)

    return operator


def tell(container: str, *, engine_url: str) -> None:
    """End the wait of ``UNTIL_TOLD`` in a container."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("told"))
    with closing(connect(EngineAddress(url=engine_url))) as client:
        assert client.put_archive(container, WORK, content.getvalue())


@pytest.fixture
def _told_when_followed(docker_engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that waits goes on when it is followed: whoever follows it has started or adopted it."""
    follow = following.follow

    async def tell_and_follow(address: EngineAddress, ids: Sequence[str], **options: Any) -> Ended:
        tell(ids[0], engine_url=docker_engine)
        return await follow(address, ids, **options)

    monkeypatch.setattr(following, "follow", tell_and_follow)


def test_the_result_file_becomes_the_answer_and_nothing_is_left(
    make: Any, context: dict[str, Any], engine: ContainerEngine
) -> None:
    answer = make(WRITE, result="r.json").step(context)

    assert answer["answer"] == 42
    assert of_test(engine, context) == []


def test_inputs_arguments_and_variables_reach_the_container_as_data(
    make: Any, context: dict[str, Any]
) -> None:
    code = (
        "import os, json, sys; text = open('/mlops/work/in.txt').read(); "
        "json.dump([sys.argv[1:], os.environ['NAME'], text], open('/mlops/work/r.json', 'w'))"
    )
    hostile = "$(touch /tmp/x); `id` && true"

    answer = make(
        code, result="r.json", arguments=[hostile], environment={"NAME": hostile}, inputs={"in.txt": hostile}
    ).step(context)

    assert answer == [[hostile], hostile, hostile]


def test_what_is_templated_is_data_alone() -> None:
    assert set(DockerJobOperator.template_fields) == {"arguments", "environment", "inputs", "mlflow_run_id"}


@pytest.mark.usefixtures("_told_when_followed")
def test_a_container_that_runs_is_adopted_with_its_log(
    make: Any, context: dict[str, Any], engine: ContainerEngine
) -> None:
    operator = make(UNTIL_TOLD + WRITE, result="r.json")
    started = engine.start(operator.container_job(context))
    assert [found.state for found in of_test(engine, context)] == ["running"]

    with capture_logs() as log:
        answer = operator.step(context)

    assert answer["answer"] == 42
    assert context["task_state_store"]["mlops_container"]["ids"] == list(started.ids)
    assert "waiting" in [line["event"] for line in log]


class SeenError(Exception):
    """A line that a test waited for was written."""


@pytest.fixture
def position(make: Any, context: dict[str, Any], engine: ContainerEngine, docker_engine: str) -> str:
    """Start what ``SAY_MORE`` says, and note its first line as shown by an earlier try."""
    ids = engine.start(make(SAY_MORE, result="r.json").container_job(context)).ids
    shown: list[Line] = []

    def show(line: Line) -> None:
        shown.append(line)
        raise SeenError

    with pytest.raises(SeenError):
        asyncio.run(follow(EngineAddress(url=docker_engine), ids, on_line=show))
    assert shown[0].text == "waiting"
    context["task_state_store"].set("mlops_container", {"ids": list(ids), "since": shown[0].timestamp})
    return shown[0].timestamp


@pytest.mark.usefixtures("_told_when_followed")
def test_the_log_goes_on_where_an_earlier_try_has_left_it(
    make: Any, context: dict[str, Any], position: str
) -> None:
    with capture_logs() as log:
        make(SAY_MORE, result="r.json").step(context)

    lines = [line["event"] for line in log]
    assert "told" in lines
    assert "waiting" not in lines
    assert context["task_state_store"]["mlops_container"]["since"] >= position


def test_the_triggerer_is_told_where_an_earlier_try_has_left_the_log(
    make: Any, context: dict[str, Any], position: str
) -> None:
    trigger = deferred(make(SAY_MORE, result="r.json", deferrable=True), context)

    assert trigger.since == position


def test_a_result_that_was_taken_before_the_worker_died_is_not_made_again(
    make: Any, context: dict[str, Any], engine: ContainerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class DiedError(BaseException):
        """Stands for SIGKILL."""

    def die(*_: Any, **__: Any) -> None:
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(ContainerOperator, "_leave", die)
        with pytest.raises(DiedError):
            make(WRITE, result="r.json").step(context)
    kept = json.loads(context["task_state_store"]["mlops_container_result"]["content"])

    assert make(WRITE, result="r.json").step(context) == kept
    assert of_test(engine, context) == []


def test_a_cleared_task_runs_again(make: Any, context: dict[str, Any]) -> None:
    first = make(WRITE, result="r.json").step(context)["token"]
    # What clearing does: the task may be tried more often.
    context["ti"].max_tries += 1

    assert make(WRITE, result="r.json").step(context)["token"] != first


@pytest.mark.parametrize(
    "refusal", [ContainerError("the device is busy"), DockerUnavailableError("no answer")]
)
def test_containers_that_cannot_be_removed_do_not_undo_a_result_that_was_taken(
    make: Any,
    context: dict[str, Any],
    engine: ContainerEngine,
    monkeypatch: pytest.MonkeyPatch,
    refusal: Exception,
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise refusal

    with monkeypatch.context() as patch, capture_logs() as log:
        patch.setattr(ContainerEngine, "remove", refuse)
        answers = [make(WRITE, result="r.json").step(context) for _ in range(2)]

    assert answers[0] == answers[1]
    warnings = [line["event"] for line in log if line["log_level"] == "warning"]
    assert warnings == [
        f"{found.job_name} is not removed: {refusal}" for found in of_test(engine, context) * 2
    ]


def test_an_exit_code_is_told_with_the_last_lines(
    make: Any, context: dict[str, Any], engine: ContainerEngine
) -> None:
    with pytest.raises(ContainerFailedError, match=r"exit code 7; its last lines:\nno more"):
        make("print('no more', flush=True); raise SystemExit(7)").step(context)

    assert of_test(engine, context) == []


def test_a_file_that_is_no_json_is_a_failure_that_names_it(make: Any, context: dict[str, Any]) -> None:
    with pytest.raises(ContainerFailedError, match=r"/mlops/work/r\.json is not JSON"):
        make("open('/mlops/work/r.json', 'w').write('{')", result="r.json").step(context)


def test_a_failed_container_is_kept_where_that_is_asked_for(
    make: Any, context: dict[str, Any], engine: ContainerEngine
) -> None:
    with pytest.raises(ContainerFailedError):
        make("raise SystemExit(1)", keep="on_failure").step(context)

    (kept,) = of_test(engine, context)
    assert kept.is_kept
    assert kept.state == "exited"
    connect(EngineAddress.from_environment()).remove_container(kept.id, force=True, v=True)


def test_a_killed_task_takes_its_container_along(
    make: Any, context: dict[str, Any], engine: ContainerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = make(WAIT)
    context["ti"].state = "failed"
    monkeypatch.setattr("mlops_core.containers.follow.follow", killing(operator))

    with pytest.raises(ContainerLostError):
        operator.step(context)

    assert of_test(engine, context) == []


@pytest.mark.usefixtures("_told_when_followed")
def test_a_task_whose_worker_is_shut_down_leaves_its_container_to_the_next_try(
    make: Any, context: dict[str, Any], engine: ContainerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator = make(UNTIL_TOLD + WRITE, result="r.json")
    with monkeypatch.context() as patch:
        patch.setattr("mlops_core.containers.follow.follow", killing(operator))
        with pytest.raises(ContainerLostError):
            operator.step(context)
    (left,) = of_test(engine, context)
    assert left.state == "running"

    assert make(UNTIL_TOLD + WRITE, result="r.json").step(context)["answer"] == 42

    assert context["task_state_store"]["mlops_container"]["ids"] == [left.id]


def killing(operator: DockerJobOperator) -> Any:
    """Stand in for ``follow``: the process is told to end while it waits."""

    async def follow(*_: Any, **__: Any) -> None:
        operator.on_kill()
        await asyncio.sleep(60)

    return follow


def test_a_task_that_has_had_its_time_takes_its_container_along(
    make: Any, context: dict[str, Any], engine: ContainerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def time_is_up(*_: Any, **__: Any) -> None:
        raise AirflowTaskTimeout

    monkeypatch.setattr("mlops_core.containers.follow.follow", time_is_up)

    with pytest.raises(AirflowTaskTimeout):
        make(WAIT).step(context)

    assert of_test(engine, context) == []


def test_a_time_that_is_up_ends_the_task_though_the_alarm_is_lost(
    make: Any, context: dict[str, Any], engine: ContainerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "_ALARM_SECONDS", 0.1)

    # No alarm rings here: what asyncio makes of it is not for a test to aim at.
    with pytest.raises(AirflowTaskTimeout, match="did not end in its time"):
        make(WAIT, execution_timeout=timedelta(seconds=0.1)).step(context)

    assert of_test(engine, context) == []


@pytest.mark.parametrize(("timeout", "deadline"), [(None, None), (timedelta(seconds=60), 1061.0)])
def test_a_try_has_its_time_from_its_own_beginning(
    make: Any,
    context: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    timeout: timedelta | None,
    deadline: float | None,
) -> None:
    clock = create_autospec(time)
    clock.time.return_value = 1000.0
    monkeypatch.setattr(container, "time", clock)
    operator = make(WRITE, result="r.json", execution_timeout=timeout)
    declare, follow = operator.container_job, following.follow
    deadlines = []

    def declare_slowly(asked: Any) -> ContainerJob:
        clock.time.return_value += 30
        return declare(asked)

    async def note_and_follow(*arguments: Any, deadline: float | None, **options: Any) -> Ended:
        deadlines.append(deadline)
        return await follow(*arguments, **options)

    monkeypatch.setitem(operator.__dict__, "container_job", declare_slowly)
    monkeypatch.setattr(following, "follow", note_and_follow)

    assert operator.step(context)["answer"] == 42
    assert deadlines == [deadline]


def deferred(operator: DockerJobOperator, context: dict[str, Any]) -> ContainerTrigger:
    """Run an operator until it defers; return the trigger as the triggerer makes it anew."""
    with pytest.raises(TaskDeferred) as caught:
        operator.step(context)
    path, arguments = caught.value.trigger.serialize()
    assert path == f"{ContainerTrigger.__module__}.{ContainerTrigger.__name__}"
    return ContainerTrigger(**json.loads(json.dumps(arguments)))


def fired(trigger: ContainerTrigger) -> dict[str, Any]:
    async def first() -> dict[str, Any]:
        async for event in trigger.run():
            return dict(event.payload)
        raise AssertionError("it fired nothing")

    return asyncio.run(first())


@pytest.mark.usefixtures("_told_when_followed")
def test_a_deferred_task_takes_the_result_that_the_trigger_waited_for(
    make: Any, context: dict[str, Any], engine: ContainerEngine
) -> None:
    trigger = deferred(make(UNTIL_TOLD + WRITE, result="r.json", deferrable=True), context)
    assert [found.state for found in of_test(engine, context)] == ["running"]

    event = fired(trigger)

    operator = make(UNTIL_TOLD + WRITE, result="r.json")
    assert operator.execute_complete(context, event, trigger.ids)["answer"] == 42
    assert of_test(engine, context) == []


def test_the_event_of_an_earlier_trigger_does_not_end_the_try_that_waits_now(
    make: Any, context: dict[str, Any], engine: ContainerEngine
) -> None:
    trigger = deferred(make(WAIT, deferrable=True), context)
    late = {"unavailable": "the engine has not answered", "ids": ["of-an-earlier-try"], "since": None}

    with pytest.raises(TaskDeferred) as caught:
        make(WAIT, deferrable=True).execute_complete(context, late, trigger.ids)

    assert caught.value.trigger.serialize()[1]["ids"] == trigger.ids == caught.value.kwargs["ids"]
    assert [found.state for found in of_test(engine, context)] == ["running"]


@pytest.mark.parametrize("state", ["failed", "success", "restarting"])
def test_a_task_that_a_person_ends_before_it_defers_takes_its_container_along(
    make: Any, context: dict[str, Any], engine: ContainerEngine, state: str
) -> None:
    context["ti"].state = state

    with pytest.raises(ContainerLostError):
        make(WAIT, deferrable=True).step(context)

    assert of_test(engine, context) == []


def test_ending_a_deferred_task_by_hand_removes_its_container(
    make: Any, context: dict[str, Any], engine: ContainerEngine
) -> None:
    trigger = deferred(make(WAIT, deferrable=True), context)
    assert [found.state for found in of_test(engine, context)] == ["running"]

    asyncio.run(trigger.on_kill())

    assert of_test(engine, context) == []


def test_a_gpu_where_there_is_none_fails_at_once_and_leaves_nothing(
    context: dict[str, Any], engine: ContainerEngine, docker_engine: str, python_image: str
) -> None:
    spec = ContainerSpec(image=python_image, command=("python3", "-c", WRITE), memory_mb=128)
    operator = GpuDockerOperator(task_id="task", container=spec, docker_url=docker_engine)

    with pytest.raises(GpuMissingError):
        operator.step(context)

    assert of_test(engine, context) == []


def test_a_worker_without_a_driver_leases_as_many_gpus_as_the_pool_has_slots(
    context: dict[str, Any],
    engine: ContainerEngine,
    docker_engine: str,
    python_image: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLOPS_GPU_SLOTS", "2")
    monkeypatch.setattr(gpus, "visible_gpus", lambda: ())
    # The engine has no such devices: only the claims are real.
    monkeypatch.setattr(create, "_device_requests", lambda _spec, **_: [])
    spec = ContainerSpec(image=python_image, command=("python3", "-c", WAIT), memory_mb=128)
    operator = GpuDockerOperator(task_id="task", container=spec, docker_url=docker_engine, deferrable=True)

    deferred(operator, context)

    assert [found.gpus for found in of_test(engine, context)] == [{"0"}]


def test_without_a_gpu_the_cpu_does_where_that_is_allowed(
    context: dict[str, Any], docker_engine: str, python_image: str
) -> None:
    spec = ContainerSpec(image=python_image, command=("python3", "-c", WRITE), memory_mb=128)
    operator = GpuDockerOperator(
        task_id="task", container=spec, result="r.json", cpu_fallback=True, docker_url=docker_engine
    )

    assert operator.step(context)["answer"] == 42


def test_a_task_on_gpus_takes_a_slot_of_the_pool_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_TRAINING_QUEUE", "training")
    spec = ContainerSpec(image="image", command=("program",))

    operator = GpuDockerOperator(task_id="task", container=spec, gpus=["0", "1"])

    assert (operator.pool, operator.pool_slots, operator.queue) == ("gpu", 2, "training")


def test_a_decorated_function_runs_in_the_container(
    context: dict[str, Any], docker_engine: str, python_image: str
) -> None:
    operator = multiply.override(image=python_image, docker_url=docker_engine)(6, by=7).operator

    assert operator.step(context) == {"product": 42, "user": 65532}


def test_arguments_that_are_no_json_are_refused_by_name(context: dict[str, Any]) -> None:
    operator = multiply(object(), by=7).operator

    with pytest.raises(DeclarationError, match="the arguments of multiply must be JSON"):
        operator.container_job(context)


@task.gpu_docker(image="image", cpu_fallback=True, limits={"memory_mb": 128})
def multiply(number: int, by: int) -> dict[str, int]:
    import os

    return {"product": number * by, "user": os.getuid()}


class Device(VisibleGpus):
    """A device that is half busy and holds a gigabyte; NVML is not asked."""

    def __init__(self, *, devices: list[str]) -> None:
        self.devices = devices

    def __len__(self) -> int:
        return len(self.devices)

    def read(self) -> list[GpuReading]:
        return [GpuReading(memory_bytes=2**30, utilisation=0.5) for _ in self.devices]

    def close(self) -> None:
        pass


def test_what_the_claimed_devices_did_is_recorded_beside_processors_and_memory(
    monkeypatch: pytest.MonkeyPatch, context: dict[str, Any], local_tracking_uri: str
) -> None:
    async def ended(*_: Any, **__: Any) -> Ended:
        return Ended(nodes=(NodeEnd(id="one", exit_code=0, cpu_seconds=3.0, peak_memory_mb=40.0),))

    labels = {"mlops.gpus": "GPU-a,GPU-b"}
    own = ManagedContainer(id="one", name="own", state="running", labels=labels, created=0)
    other = own.model_copy(update={"id": "two", "labels": {"mlops.gpus": "GPU-c"}})
    engine = create_autospec(ContainerEngine, instance=True)
    engine.managed.return_value = (own, other)
    client = MlflowClient(local_tracking_uri)
    run_id = client.create_run("0").info.run_id
    spec = ContainerSpec(image="image", command=("program",))
    operator = GpuDockerOperator(task_id="task", container=spec, gpus=2, mlflow_run_id=run_id)
    for name, value in {"engine": engine, "mlflow_client": client, "show_run": lambda _: None}.items():
        monkeypatch.setitem(operator.__dict__, name, value)
    monkeypatch.setattr("mlops_core.containers.follow.follow", ended)
    monkeypatch.setattr("mlops_core.training.probes.VisibleGpus", Device)

    operator.record_usage(operator.follow_containers(context, ids=("one",), since=None))

    metrics = client.get_run(run_id).data.metrics
    assert metrics["system/cpu_seconds"] == 3.0
    assert metrics["system/peak_memory_mb"] == 40.0
    assert metrics["system/gpu_peak_memory_mb"] == 1024.0
    assert metrics["system/gpu_utilisation"] == 0.5
    assert metrics["system/gpu_seconds"] > 0


def test_a_number_that_json_does_not_know_is_a_failure_of_the_container(
    make: Any, context: dict[str, Any]
) -> None:
    with pytest.raises(ContainerFailedError, match="NaN is no JSON number"):
        make("open('/mlops/work/r.json', 'w').write('[NaN]')", result="r.json").step(context)


def test_use_that_cannot_be_recorded_does_not_hide_how_the_container_ended(
    make: Any,
    context: dict[str, Any],
    engine: ContainerEngine,
    docker_engine: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask = Connection.stats

    async def ask_and_tell(connection: Connection, container: str) -> dict[str, Any]:
        used = await ask(connection, container)
        tell(container, engine_url=docker_engine)
        return used

    monkeypatch.setattr(Connection, "stats", ask_and_tell)
    operator = make(UNTIL_TOLD + "raise SystemExit(7)", mlflow_run_id="run")
    client = create_autospec(MlflowClient, instance=True)
    client.log_batch.side_effect = ConnectionError
    monkeypatch.setitem(operator.__dict__, "mlflow_client", client)

    with pytest.raises(ContainerFailedError, match="exit code 7"):
        operator.step(context)

    assert client.log_batch.called
    assert of_test(engine, context) == []


def test_an_error_around_the_container_leaves_it_to_the_next_try_and_removes_it_after_the_last(
    make: Any, context: dict[str, Any], engine: ContainerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise OSError("the log cannot be written")

    monkeypatch.setattr("mlops_core.containers.follow.follow", fail)

    with pytest.raises(OSError, match="the log"):
        make(WAIT).step(context)
    assert [found.state for found in of_test(engine, context)] == ["running"]

    context["ti"].try_number = 3
    with pytest.raises(OSError, match="the log"):
        make(WAIT).step(context)
    assert of_test(engine, context) == []


def test_two_platforms_on_one_engine_never_adopt_each_others_containers(
    make: Any, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = make(WAIT).container_job(context)
    monkeypatch.setenv("MLOPS_STACK_NAME", "another")

    assert make(WAIT).container_job(context).name != own.name


def test_mapped_tasks_take_the_place_of_single_ones() -> None:
    spec = ContainerSpec(image="image", command=("program",))
    with DAG("mapped", schedule=None) as dag:
        GpuDockerOperator.partial(task_id="operator", container=spec, gpus=2).expand(arguments=[["a"], ["b"]])
        multiply.override(task_id="function").partial(by=2).expand(number=[1, 2])
        DockerJobOperator.partial(task_id="plain", container=spec).expand(arguments=[["a"], ["b"]])

    operator, function, plain = (dag.get_task(name) for name in ("operator", "function", "plain"))

    assert (operator.pool, operator.pool_slots) == ("gpu", 2)
    assert (function.pool, function.pool_slots) == ("gpu", 1)
    assert plain.pool == "default_pool"
    assert {task.retry_policy for task in (operator, function, plain)} == {RETRY_POLICY}


def test_a_task_that_is_retried_by_its_dags_rules_keeps_them() -> None:
    spec = ContainerSpec(image="image", command=("program",))
    own = ExceptionRetryPolicy(rules=[])

    with DAG("own_rules", schedule=None, default_args={"retry_policy": own}):
        operator = DockerJobOperator(task_id="task", container=spec)

    assert operator.retry_policy is own
