"""A train job in a container, or in several that fit together: the same job, the same entry point."""

import importlib.util
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from mlops_core.containers.engine import ContainerEngine
from mlops_core.containers.specification import (
    HOST_NETWORK,
    WORK,
    ContainerJob,
    ContainerSpec,
    Gpus,
    Mount,
    container_name,
    node_name,
)
from mlops_core.errors import ContainerFailedError, MlopsError
from mlops_core.operation import operation_key
from mlops_core.runners import Docker
from mlops_core.settings import Settings
from mlops_core.training.environment import CODE_VERSION_VARIABLE, CodeVersion, code_version
from mlops_core.training.failure import error_file, read_error
from mlops_core.training.job import TrainJob, TrainResult

JOB_FILE = "job.json"
RESULT_FILE = "result.json"
ERROR_FILE = error_file(Path(RESULT_FILE)).name

_RENDEZVOUS_PORT = 29400
_JOIN_SECONDS = 300
_SIGN_IN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")


def container_job(
    job: TrainJob, *, declared: Docker, settings: Settings, labels: Mapping[str, str] | None = None
) -> ContainerJob:
    """Return the containers that run a train job.

    Parameters
    ----------
    labels
        Say what the job belongs to, beside what is known from the job itself.
    """
    key = operation_key(job.operation_key, settings.stack_name)
    gpus = None
    if declared.gpus_per_node:
        gpus = Gpus(count=declared.gpus) if isinstance(declared.gpus, int) else Gpus(device_ids=declared.gpus)
    return ContainerJob(
        key=key,
        spec=ContainerSpec(
            image=declared.image or settings.train_image,
            command=_command(declared, key=key, network=settings.train_network),
            environment=_environment(job, declared=declared),
            mounts=settings.train_mounts or _data_mounts(job.data_uri),
            network=settings.train_network,
            memory_mb=declared.memory_mb,
            cpus=declared.cpus,
            shm_mb=declared.shm_mb,
            gpus=gpus,
            **_user(),
        ),
        nodes=declared.nodes,
        labels={"mlops.pipeline": job.pipeline, "mlops.candidate": job.candidate, **(labels or {})},
        inputs={JOB_FILE: job.model_dump_json()},
        provenance=_provenance(job),
        secrets=_handed_on(settings),
        result=RESULT_FILE,
    )


def train_result(content: bytes | None) -> TrainResult:
    """Read what a container has written.

    Raises
    ------
    ContainerFailedError
        If it ended well and yet wrote nothing, or something else than a result.
    """
    if content is None:
        raise ContainerFailedError(
            f"the container ended with exit code 0 and wrote no {RESULT_FILE}; "
            "does its image run `python -m mlops_core.training`?"
        )
    try:
        return TrainResult.model_validate_json(content)
    except ValidationError as error:
        raise ContainerFailedError(
            f"the container's {RESULT_FILE} is no train result; does its image hold the same version of "
            f"mlops_core? {error}"
        ) from error


def train_error(
    error: ContainerFailedError, *, engine: ContainerEngine, container: ContainerJob
) -> MlopsError:
    """Return what the train job itself has raised, if it could write it down; else the error as it is."""
    content = engine.result(container.model_copy(update={"result": ERROR_FILE}))
    own = None if content is None else read_error(content)
    return error if own is None else own


def launcher(declared: Docker, *, key: str, network: str) -> tuple[str, ...]:
    """Return the command of every node, up to the name of the module that each process runs.

    Parameters
    ----------
    key
        Operation key of the containers; the nodes meet at the name that follows from it.
    """
    if declared.nodes == 1 and declared.processes_per_node == 1:
        return ("python", "-m")
    name = container_name(key)
    return (
        *("python", "-m", "torch.distributed.run"),
        f"--nnodes={declared.nodes}",
        f"--nproc-per-node={declared.processes_per_node}",
        f"--max-restarts={declared.restarts}",
        "--rdzv-backend=c10d",
        f"--rdzv-endpoint={_rendezvous(name, nodes=declared.nodes, network=network)}",
        f"--rdzv-id={name}",
        f"--rdzv-conf=join_timeout={_JOIN_SECONDS}",
        "--module",
    )


def _command(declared: Docker, *, key: str, network: str) -> tuple[str, ...]:
    files = ("--job", f"{WORK}/{JOB_FILE}", "--result", f"{WORK}/{RESULT_FILE}")
    return (*launcher(declared, key=key, network=network), "mlops_core.training", *files)


def _rendezvous(name: str, *, nodes: int, network: str) -> str:
    """Return where the nodes meet: the first one, by its name on their own network."""
    if nodes == 1:
        return "127.0.0.1:0"
    if network == HOST_NETWORK:
        # All nodes share the machine's ports; the name spreads jobs over a thousand of them.
        return f"127.0.0.1:{_RENDEZVOUS_PORT + zlib.crc32(name.encode()) % 1000}"
    return f"{node_name(name, 0)}:{_RENDEZVOUS_PORT}"


def _environment(job: TrainJob, *, declared: Docker) -> dict[str, str]:
    threads = max(1, int(declared.cpus / declared.processes_per_node))
    return {
        "HOME": "/tmp",  # noqa: S108  the container's own, in memory
        "MLFLOW_TRACKING_URI": job.tracking_uri,
        "MLOPS_DATA_URI": job.data_uri,
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "passive",
        # With the shared store, torchrun's restart after a crash of a process is not reliable.
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
    }


def _provenance(job: TrainJob) -> dict[str, str]:
    code = _code_version(job.reference)
    return {} if code is None else {CODE_VERSION_VARIABLE: str(code)}


def _handed_on(settings: Settings) -> dict[str, str]:
    names = (*_SIGN_IN, *settings.train_environment)
    return {name: os.environ[name] for name in names if name in os.environ}


def _code_version(reference: str) -> CodeVersion | None:
    """Return the commit of the pipeline's package here: a container sees its files, and no repository."""
    specification = importlib.util.find_spec(reference.partition(":")[0])
    origin = None if specification is None else specification.origin
    return None if origin is None else code_version(Path(origin).parent)


def _user() -> dict[str, str]:
    """Run as who runs this, who may read the tables; root's containers run as nobody in particular."""
    return {"user": f"{os.getuid()}:{os.getgid()}"} if os.getuid() != 0 else {}


def _data_mounts(data_uri: str) -> tuple[Mount, ...]:
    """Show the container the tables where the job looks for them, if they are a folder of this machine."""
    if "://" in data_uri:
        return ()
    folder = str(Path(data_uri).absolute())
    return (Mount(source=folder, target=folder, kind="bind"),)
