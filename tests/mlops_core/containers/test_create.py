from typing import Any

import pytest

from mlops_core.containers.create import creation_body
from mlops_core.containers.specification import ContainerJob, ContainerSpec, Gpus


def body(*, node: int = 0, nodes: int = 1, devices: tuple[str, ...] = (), **spec: Any) -> dict[str, Any]:
    declared = ContainerSpec(**{"image": "i", "command": ("c",), **spec})
    return creation_body(
        ContainerJob(key="k", spec=declared, nodes=nodes), node=node, engine_cpus=4.0, devices=devices
    )


def test_every_container_is_hardened_whatever_is_asked_for() -> None:
    host = body(read_only_root=False, init=False, capabilities=("SYS_NICE",), network="bridge")["HostConfig"]

    assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], ["SYS_NICE"])
    assert (host["SecurityOpt"], host["Privileged"]) == (["no-new-privileges"], False)
    assert host["RestartPolicy"] == {"Name": "no"}


def test_memory_has_no_swap_on_top_and_processors_are_those_there_are() -> None:
    host = body(memory_mb=100, cpus=8.0, shm_mb=7)["HostConfig"]

    assert host["Memory"] == host["MemorySwap"] == 100 * 1024 * 1024
    assert host["NanoCpus"] == 4_000_000_000
    assert host["ShmSize"] == 7 * 1024 * 1024


@pytest.mark.parametrize(
    ("gpus", "leased", "request_", "label"),
    [
        (None, (), [], ""),
        (Gpus(count=2), (), [{"Driver": "", "Capabilities": [["gpu"]], "Count": 2}], ""),
        (
            Gpus(count=1),
            ("GPU-a",),
            [{"Driver": "", "Capabilities": [["gpu"]], "DeviceIDs": ["GPU-a"]}],
            "GPU-a",
        ),
        (Gpus(device_ids=("1",)), (), [{"Driver": "", "Capabilities": [["gpu"]], "DeviceIDs": ["1"]}], "1"),
    ],
)
def test_gpus_are_asked_for_by_device_where_they_are_leased(
    gpus: Gpus | None, leased: tuple[str, ...], request_: list[dict[str, Any]], label: str
) -> None:
    made = body(gpus=gpus, devices=leased)

    assert made["HostConfig"]["DeviceRequests"] == request_
    assert made["Labels"]["mlops.gpus"] == label


def test_own_files_are_a_volume_and_mounts_are_read_only() -> None:
    made = body(mounts=({"source": "/data", "target": "/in"},))

    volume, mount = made["HostConfig"]["Mounts"]
    assert (volume["Type"], volume["Target"]) == ("volume", "/mlops")
    assert mount == {"Type": "bind", "Source": "/data", "Target": "/in", "ReadOnly": True}


def test_several_nodes_are_on_their_own_network_under_their_own_names() -> None:
    made = body(nodes=2, network="bridge")

    assert made["HostConfig"]["NetworkMode"] == made["Labels"]["mlops.name"]
    assert made["Hostname"] == made["Labels"]["mlops.name"] + "-0"
    assert "Hostname" not in body(network="host")


def test_environment_names_the_checkpoints_unless_it_says_otherwise() -> None:
    assert body(environment={"A": "1"})["Env"] == ["A=1", "MLOPS_CHECKPOINTS=/mlops/work/checkpoints"]
    assert body(environment={"MLOPS_CHECKPOINTS": "/x"})["Env"] == ["MLOPS_CHECKPOINTS=/x"]


def test_nodes_on_the_hosts_network_have_an_address_each() -> None:
    for node, address in ((0, "127.0.0.2"), (1, "127.0.0.3")):
        assert f"PET_LOCAL_ADDR={address}" in body(node=node, nodes=2, network="host")["Env"]


@pytest.mark.parametrize(("nodes", "network"), [(1, "host"), (2, "none"), (2, "bridge")])
def test_nodes_elsewhere_are_known_by_their_names(nodes: int, network: str) -> None:
    assert not any(variable.startswith("PET_") for variable in body(nodes=nodes, network=network)["Env"])


def test_a_volume_that_the_engine_makes_by_itself_carries_the_labels_too() -> None:
    made = body(node=1, nodes=2)

    (volume,) = made["HostConfig"]["Mounts"]
    labels = volume["VolumeOptions"]["Labels"]
    assert {name: labels[name] for name in ("mlops.managed", "mlops.key", "mlops.node")} == {
        "mlops.managed": "true",
        "mlops.key": "k",
        "mlops.node": "1",
    }
    assert labels["mlops.name"] == made["Labels"]["mlops.name"]


def test_a_container_is_told_of_what_it_was_begun() -> None:
    spec = ContainerSpec(image="i", command=("c",))
    job = ContainerJob(key="k", spec=spec, provenance={"COMMIT": "1"}, secrets={"TOKEN": "2"})

    made = creation_body(job, node=0, engine_cpus=1.0)

    assert {"COMMIT=1", "TOKEN=2"} <= set(made["Env"])
