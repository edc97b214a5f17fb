"""What of a train job becomes of its containers; no engine is asked."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest

from mlops_core.containers.engine import ContainerEngine
from mlops_core.containers.specification import ContainerJob, Gpus, Mount, container_name
from mlops_core.errors import ContainerFailedError, EvaluationError
from mlops_core.runners import Docker
from mlops_core.settings import Settings
from mlops_core.training import docker
from mlops_core.training.docker import container_job, train_error, train_result
from mlops_core.training.environment import CODE_VERSION_VARIABLE
from mlops_core.training.job import TrainJob

MakeJob = Callable[..., TrainJob]
MakeContainers = Callable[..., ContainerJob]
MODULE = ("mlops_core.training", "--job", "/mlops/work/job.json", "--result", "/mlops/work/result.json")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("MLOPS_TRAIN_", "MLFLOW_TRACKING_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def containers(make_job: MakeJob) -> MakeContainers:
    def make(declared: Docker | None = None, *, network: str = "bridge", **fields: Any) -> ContainerJob:
        settings = Settings.from_environment().model_copy(update={"train_network": network})
        return container_job(make_job(**fields), declared=declared or Docker(), settings=settings)

    return make


def arguments(job: ContainerJob) -> dict[str, str]:
    """Return torchrun's options by name."""
    return dict(word[2:].split("=", 1) for word in job.spec.command if word.startswith("--") and "=" in word)


def test_one_process_is_started_without_torchrun(containers: MakeContainers) -> None:
    assert containers().spec.command == ("python", "-m", *MODULE)


def test_several_processes_of_one_node_meet_on_it(containers: MakeContainers) -> None:
    job = containers(Docker(processes=3, restarts=2))

    assert job.spec.command[:3] == ("python", "-m", "torch.distributed.run")
    assert job.spec.command[-6:] == ("--module", *MODULE)
    assert arguments(job) == {
        "nnodes": "1",
        "nproc-per-node": "3",
        "max-restarts": "2",
        "rdzv-backend": "c10d",
        "rdzv-endpoint": "127.0.0.1:0",
        "rdzv-id": job.name,
        "rdzv-conf": "join_timeout=300",
    }


def test_several_nodes_meet_at_the_first_one_by_name(containers: MakeContainers) -> None:
    job = containers(Docker(nodes=2, gpus=2))

    assert job.nodes == 2
    found = arguments(job)
    assert (found["nnodes"], found["nproc-per-node"]) == ("2", "2")
    assert found["rdzv-endpoint"] == f"{job.node_names[0]}:29400"


def test_nodes_on_the_machines_own_network_have_a_port_of_the_job(containers: MakeContainers) -> None:
    first, again, other = (
        arguments(containers(Docker(nodes=2), network="host", operation_key=key))["rdzv-endpoint"]
        for key in ("a", "a", "b")
    )

    assert first == again != other
    for endpoint in (first, other):
        host, port = endpoint.split(":")
        assert host == "127.0.0.1"
        assert 29400 <= int(port) < 30400


def test_the_job_travels_as_a_file_and_is_the_same_containers_for_a_retry(
    containers: MakeContainers, make_job: MakeJob
) -> None:
    job = containers()

    assert TrainJob.model_validate_json(job.inputs["job.json"]) == make_job()
    assert job.key.startswith(make_job().operation_key)
    assert job.name == container_name(job.key)
    assert job.result == "result.json"
    assert job == containers()
    assert job.labels == {"mlops.pipeline": "toy_binary", "mlops.candidate": "trees"}


def test_another_platform_on_the_same_engine_has_containers_of_its_own(
    containers: MakeContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = containers().name
    monkeypatch.setenv("MLOPS_STACK_NAME", "another")

    assert containers().name != own


def test_a_credential_that_changes_does_not_make_other_containers(
    containers: MakeContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "before")
    before = containers()
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "after")

    assert containers().digest() == before.digest()
    assert "before" not in repr(before)


def test_what_was_declared_limits_it(containers: MakeContainers) -> None:
    spec = containers(Docker(image="own:1", memory_mb=512, cpus=1.5, shm_mb=128), network="net").spec

    assert (spec.image, spec.memory_mb, spec.cpus, spec.shm_mb, spec.network) == (
        *("own:1", 512, 1.5, 128),
        "net",
    )
    assert containers().spec.image == "airflow-mlops-train:latest"


@pytest.mark.parametrize(
    ("declared", "gpus"),
    [(0, None), (2, Gpus(count=2)), (("GPU-7", "GPU-9"), Gpus(device_ids=("GPU-7", "GPU-9")))],
)
def test_it_gets_the_gpus_declared(containers: MakeContainers, declared: Any, gpus: Gpus | None) -> None:
    assert containers(Docker(gpus=declared)).spec.gpus == gpus


@pytest.mark.parametrize(
    ("cpus", "processes", "threads"), [(4, 1, "4"), (4, 2, "2"), (1.5, 1, "1"), (1, 4, "1")]
)
def test_threads_share_the_processors(
    containers: MakeContainers, cpus: float, processes: int, threads: str
) -> None:
    environment = containers(Docker(cpus=cpus, processes=processes)).spec.environment

    assert environment["OMP_NUM_THREADS"] == threads


def test_it_knows_its_servers_and_nothing_else_of_this_process(
    containers: MakeContainers, make_job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t")
    monkeypatch.setenv("CHOSEN", "c")
    monkeypatch.setenv("OTHER", "o")
    monkeypatch.setenv("MLOPS_TRAIN_ENVIRONMENT", '["CHOSEN", "ABSENT"]')
    monkeypatch.setattr(docker, "code_version", lambda _: None)

    job = containers(Docker(cpus=1))
    environment = {**job.spec.environment, **job.provenance, **job.secrets}

    assert environment["MLFLOW_TRACKING_URI"] == make_job().tracking_uri
    assert environment["MLOPS_DATA_URI"] == make_job().data_uri
    assert environment["HOME"] == "/tmp"  # noqa: S108  in the container
    assert (environment["MLFLOW_TRACKING_TOKEN"], environment["CHOSEN"]) == ("t", "c")
    assert not {"OTHER", "ABSENT", CODE_VERSION_VARIABLE, "MLFLOW_TRACKING_PASSWORD"} & set(environment)


def test_it_is_told_the_commit_of_the_pipelines_code(
    containers: MakeContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def version(folder: Path) -> str:
        asked.append(folder)
        return "0123"

    monkeypatch.setattr(docker, "code_version", version)

    assert containers().provenance == {CODE_VERSION_VARIABLE: "0123"}
    assert (asked[0] / "toy_models.py").is_file()


def test_a_commit_between_two_tries_does_not_make_other_containers(
    containers: MakeContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker, "code_version", lambda _: "0123")
    before = containers()
    monkeypatch.setattr(docker, "code_version", lambda _: "4567+modified")

    assert containers().digest() == before.digest()


@pytest.mark.parametrize(("uid", "user"), [(0, "65532:65532"), (1000, "1000:50")])
def test_it_runs_as_who_runs_this_but_never_as_root(
    containers: MakeContainers, monkeypatch: pytest.MonkeyPatch, uid: int, user: str
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(os, "getgid", lambda: 50)

    assert containers().spec.user == user


def test_tables_in_a_folder_are_shown_to_it_where_the_job_looks(containers: MakeContainers) -> None:
    assert containers(data_uri="/data/tables").spec.mounts == (
        Mount(source="/data/tables", target="/data/tables", read_only=True),
    )
    assert containers(data_uri="s3://bucket/tables").spec.mounts == ()


def test_mounts_of_the_settings_take_the_place_of_the_tables(
    containers: MakeContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_TRAIN_MOUNTS", '[{"source": "/srv", "target": "/data"}]')

    assert containers(data_uri="/data").spec.mounts == (Mount(source="/srv", target="/data"),)


@pytest.mark.parametrize(
    ("content", "words"), [(None, r"wrote no result\.json"), (b"{}", "is no train result")]
)
def test_a_container_that_ended_well_without_a_result_has_failed(content: bytes | None, words: str) -> None:
    with pytest.raises(ContainerFailedError, match=words):
        train_result(content)


@pytest.mark.parametrize("content", [None, b"", b'{"error": "Evalu', b"{}"])
def test_a_container_whose_reason_cannot_be_read_fails_with_its_own_error(
    containers: MakeContainers, content: bytes | None
) -> None:
    ended = ContainerFailedError("it ended with 137", exit_code=137)
    engine = create_autospec(ContainerEngine, instance=True)
    engine.result.return_value = content

    assert train_error(ended, engine=engine, container=containers()) is ended


def test_a_container_fails_with_what_its_job_has_raised(containers: MakeContainers) -> None:
    engine = create_autospec(ContainerEngine, instance=True)
    engine.result.return_value = json.dumps({"error": "EvaluationError", "message": "nan"}).encode()

    error = train_error(ContainerFailedError("1"), engine=engine, container=containers())

    assert isinstance(error, EvaluationError)
    assert engine.result.call_args.args[0].result == "result.error.json"
