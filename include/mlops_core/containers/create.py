"""A container's specification in the words of the Docker Engine API. Pure: asks no engine."""

from typing import Any

from mlops_core.containers.labels import job_labels
from mlops_core.containers.specification import (
    CHECKPOINTS,
    FILES,
    HOST_NETWORK,
    ContainerJob,
    ContainerSpec,
    Mount,
)

_MEBIBYTE = 1024 * 1024
# What a chatty process may write to the engine's disk. Read back through the API: it must be a file driver.
_LOG = {"Type": "json-file", "Config": {"max-size": "128m", "max-file": "4"}}


def creation_body(
    job: ContainerJob,
    *,
    node: int,
    engine_cpus: float,
    devices: tuple[str, ...] = (),
    volume: str | None = None,
) -> dict[str, Any]:
    """Return the body of the request that creates one node.

    Parameters
    ----------
    engine_cpus
        Processors of the engine's machine: it refuses to be asked for more.
    devices
        Ids of the GPUs leased for this node; with none, ``spec.gpus`` is passed on as it is.
    volume
        Name of the volume with its files; the first one of the node if None.
    """
    spec = job.spec
    body: dict[str, Any] = {
        "Image": spec.image,
        "Cmd": list(spec.command),
        "Env": [f"{name}={value}" for name, value in sorted(_environment(job, node=node).items())],
        "User": f"{spec.user_id}:{spec.group_id}",
        "Labels": job_labels(job, node=node, devices=devices or _asked_devices(spec)),
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": _host_config(
            job,
            node=node,
            engine_cpus=engine_cpus,
            devices=devices,
            volume=volume or job.volume_names[node],
        ),
    }
    if spec.entrypoint is not None:
        body["Entrypoint"] = list(spec.entrypoint)
    if spec.working_directory is not None:
        body["WorkingDir"] = spec.working_directory
    if spec.network != HOST_NETWORK:
        # Processes that find each other by their own host name must find a name that the other nodes know.
        body["Hostname"] = job.node_names[node]
    return body


def _host_config(
    job: ContainerJob, *, node: int, engine_cpus: float, devices: tuple[str, ...], volume: str
) -> dict[str, Any]:
    spec = job.spec
    return {
        "NetworkMode": job.network_name or spec.network,
        "Memory": spec.memory_mb * _MEBIBYTE,
        # Equal means none: it counts memory and swap together, and its default is twice the memory.
        "MemorySwap": spec.memory_mb * _MEBIBYTE,
        "NanoCpus": int(min(spec.cpus, engine_cpus) * 1e9),
        "PidsLimit": spec.pids_limit,
        "ShmSize": spec.shm_mb * _MEBIBYTE,
        # The engine's own default is noexec, which what compiles at run time does not survive.
        "Tmpfs": {path: f"rw,nosuid,nodev,exec,mode=1777,size={mb}m" for path, mb in spec.tmpfs.items()},
        "ReadonlyRootfs": spec.read_only_root,
        "Privileged": False,
        "CapDrop": ["ALL"],
        "CapAdd": list(spec.capabilities),
        "SecurityOpt": ["no-new-privileges"],
        "Init": spec.init,
        "AutoRemove": False,
        # Whether to run again is decided above, by who knows what it meant.
        "RestartPolicy": {"Name": "no"},
        "LogConfig": _LOG,
        "Mounts": [
            _files(job, node=node, volume=volume),
            *(_mount(mount) for mount in spec.mounts),
        ],
        "DeviceRequests": _device_requests(spec, devices=devices),
    }


def _files(job: ContainerJob, *, node: int, volume: str) -> dict[str, Any]:
    return {
        "Type": "volume",
        "Source": volume,
        "Target": FILES,
        # Somebody may remove the volume between its making and the container's: the engine makes another one.
        "VolumeOptions": {"Labels": job_labels(job, node=node)},
    }


def _mount(mount: Mount) -> dict[str, Any]:
    return {
        "Type": mount.kind,
        "Source": mount.source,
        "Target": mount.target,
        "ReadOnly": mount.read_only,
    }


def _environment(job: ContainerJob, *, node: int) -> dict[str, str]:
    own = {"MLOPS_CHECKPOINTS": CHECKPOINTS}
    if job.nodes > 1 and job.spec.network == HOST_NETWORK:
        # torchrun tells participants apart by address and process id, and there they have both in common.
        own["PET_LOCAL_ADDR"] = f"127.0.0.{2 + node}"
    return {**own, **job.provenance, **job.spec.environment, **job.secrets}


def _asked_devices(spec: ContainerSpec) -> tuple[str, ...]:
    return spec.gpus.device_ids if spec.gpus else ()


def _device_requests(spec: ContainerSpec, *, devices: tuple[str, ...]) -> list[dict[str, Any]]:
    if spec.gpus is None:
        return []
    ids = devices or spec.gpus.device_ids
    wanted: dict[str, Any] = {"DeviceIDs": list(ids)} if ids else {"Count": spec.gpus.count}
    return [{"Driver": "", "Capabilities": [["gpu"]], **wanted}]
