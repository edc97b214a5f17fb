from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_core.containers.specification import (
    ContainerJob,
    ContainerSpec,
    Gpus,
    Mount,
    container_name,
    node_name,
)
from mlops_core.errors import DeclarationError

SPEC = ContainerSpec(image="python:3.11", command=("python", "-V"))


def job(**fields: Any) -> ContainerJob:
    return ContainerJob(**{"key": "dag/run/task", "spec": SPEC, **fields})


@given(st.text(min_size=1, max_size=300), st.integers(min_value=0, max_value=63))
def test_every_key_gives_a_valid_host_name(key: str, node: int) -> None:
    name = node_name(container_name(key), node)

    assert len(name) <= 63
    assert all(character in "abcdefghijklmnopqrstuvwxyz0123456789-" for character in name)
    assert name.startswith("mlops-")


def test_names_follow_from_the_key_alone_and_differ_by_key() -> None:
    first = job(key="a/b", inputs={"x": "y"}, nodes=2)

    assert job(key="a/b").name == first.name
    assert job(key="a-b").name != first.name
    assert first.node_names == (f"{first.name}-0", f"{first.name}-1")
    assert first.volume_names == (f"{first.name}-0-files", f"{first.name}-1-files")


def test_network_of_their_own_is_for_several_nodes_off_the_hosts_network() -> None:
    on_host = SPEC.model_copy(update={"network": "host"})

    assert (job().network_name, job(nodes=2, spec=on_host).network_name) == (None, None)
    assert job(nodes=2).network_name == job().name


@pytest.mark.parametrize(
    "changed",
    [
        {"inputs": {"a": "b"}},
        {"nodes": 2},
        {"result": "r.json"},
        {"spec": SPEC.model_copy(update={"memory_mb": 99})},
        {"spec": SPEC.model_copy(update={"environment": {"A": "b"}})},
    ],
)
def test_digest_covers_what_runs(changed: dict[str, Any]) -> None:
    assert job(**changed).digest() != job().digest()


def test_digest_leaves_out_what_only_says_whose_it_is_and_the_order_of_names() -> None:
    forward = SPEC.model_copy(update={"environment": {"A": "1", "B": "2"}})
    backward = SPEC.model_copy(update={"environment": {"B": "2", "A": "1"}})

    assert job(labels={"mlops.dag_id": "d"}).digest() == job().digest()
    assert job(spec=forward).digest() == job(spec=backward).digest()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"user": "nobody"}, r"user: it should be numbers, uid or uid:gid.*'nobody'"),
        ({"user": "0:0"}, "user: it should not be root.*'0:0'.*root_allowed=True"),
        ({"user": "00"}, "user: it should not be root"),
        ({"command": "echo hi"}, "command: give a list"),
        ({"command": ()}, "command: give at least 1"),
        ({"memory_mb": 0}, "memory_mb: it should be greater than or equal to 16"),
        ({"pids_limit": -1}, "pids_limit"),
        ({"image": "--privileged"}, "image"),
        ({"capabilities": ("cap_sys_admin",)}, "capabilities.0: it should be a Linux capability"),
        ({"network": "container:other/x"}, "network"),
        ({"tmpfs": {"tmp": 1}}, "tmpfs.*absolute path"),
        ({"tmpfs": {"/b": 1}, "mounts": ({"source": "/a", "target": "/b"},)}, "each target once"),
        ({"environment": {"A=B": "c"}}, "environment variable"),
        ({"privileged": True}, "privileged: no such field"),
    ],
)
def test_specification_that_would_loosen_or_cannot_be_is_refused(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(DeclarationError, match=message):
        ContainerSpec(**{"image": "i", "command": ("c",), **fields})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source": "/var/run/docker.sock", "target": "/s"}, "would give the container the whole machine"),
        ({"source": "relative", "target": "/s"}, "absolute path"),
        ({"source": "/a/../etc", "target": "/s"}, "absolute path"),
        ({"source": "/a", "target": "s"}, "target: .*absolute path"),
        ({"source": "/a", "target": "/mlops/work"}, "/mlops is where the container's own files are"),
        ({"source": "/a", "target": "/s", "kind": "volume"}, "give a volume's name"),
    ],
)
def test_mount_of_the_wrong_place_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        Mount(**fields)


@pytest.mark.parametrize(
    "source",
    [
        *("/run", "/var", "/var/run", "/var/run/", "//run", "/run/./docker", "/run/docker"),
        *(
            "/run/docker/containerd",
            "/run/containerd",
            "/run/podman",
            "/run/user",
            "/run/user/1000",
            "/var/run/user/1000/podman",
        ),
        *("/run/docker.sock", "/home/me/.docker/run/docker.sock"),
    ],
)
def test_mount_of_a_folder_with_an_engines_socket_is_refused(source: str) -> None:
    with pytest.raises(DeclarationError, match="would give the container the whole machine"):
        Mount(source=source, target="/s")


@pytest.mark.parametrize("source", ["/var/lib/models", "/run/secrets", "/srv/run/docker", "/data"])
def test_mount_of_a_folder_without_one_is_not(source: str) -> None:
    assert Mount(source=source, target="/s").source == source


@pytest.mark.parametrize(
    "fields", [{}, {"count": 1, "device_ids": ("0",)}, {"device_ids": ("0", "0")}, {"count": 0}]
)
def test_gpus_are_a_number_or_distinct_devices(fields: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError):
        Gpus(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"inputs": {"../job.json": ""}},
        {"inputs": {"checkpoints": ""}},
        {"inputs": {"r": ""}, "result": "r"},
        {"result": "checkpoints"},
        {"result": ".hidden"},
        {"labels": {"Key=1": ""}},
        {"key": ""},
    ],
)
def test_files_have_plain_names_that_do_not_collide(fields: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError):
        job(**fields)


def test_job_without_gpus_differs_in_that_alone() -> None:
    with_gpus = job(spec=SPEC.model_copy(update={"gpus": Gpus(count=2)}))

    assert with_gpus.without_gpus() == job()


@pytest.mark.parametrize("target", ["/mlops", "/mlops/", "/mlops/work"])
def test_a_folder_in_memory_cannot_hide_the_containers_own_files(target: str) -> None:
    with pytest.raises(DeclarationError, match=r"tmpfs: /mlops is where the container's own files are"):
        ContainerSpec(image="i", command=("c",), tmpfs={target: 16})


def test_what_says_where_a_container_was_begun_does_not_decide_whether_it_is_adopted() -> None:
    job = ContainerJob(key="k", spec=ContainerSpec(image="i", command=("c",)), provenance={"COMMIT": "1"})

    assert job.digest() == job.model_copy(update={"provenance": {"COMMIT": "2"}}).digest()
