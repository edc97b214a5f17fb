"""What a container is asked to be. Light: a DAG file imports it.

Nothing here comes from a run's conf: an image, a mount and a limit are the author's word.
"""

import hashlib
import json
import re
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from mlops_core.declaration import PATTERN_WORDS, Declaration

FILES = "/mlops"
"""Where every container finds its own volume."""
WORK = f"{FILES}/work"
"""The folder in it that belongs to the container's user: inputs, result, checkpoints."""
CHECKPOINTS = f"{WORK}/checkpoints"
NO_NETWORK = "none"
HOST_NETWORK = "host"

_DEVICE = r"^[A-Za-z0-9-]{1,64}$"
_USER = r"^[0-9]{1,10}(:[0-9]{1,10})?$"
_FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
_CAPABILITY = r"^[A-Z][A-Z_]{1,40}$"
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_.]{0,127}$"
_ENGINE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$"
_LABEL = r"^[a-z0-9][a-z0-9._-]{0,127}$"
PATTERN_WORDS.update(
    {
        _DEVICE: "it should be a GPU's index or UUID",
        _USER: "it should be numbers, uid or uid:gid: a name means what the image says it means",
        _FILE_NAME: "it should be a plain file name of letters, digits, '.', '_' and '-'",
        _CAPABILITY: "it should be a Linux capability such as SYS_NICE, without CAP_",
        _VARIABLE: "it should be the name of an environment variable",
        _ENGINE_NAME: "it should be a name of letters, digits, '.', '_' and '-'",
        _LABEL: "it should be a label of small letters, digits, '.', '_' and '-'",
    }
)
_SOCKETS = ("docker.sock", "containerd.sock", "podman.sock", "crio.sock")
_SOCKET_PLACES = tuple(
    PurePosixPath(run, place).parts
    for run in ("/run", "/var/run")
    for place in (
        *("docker.sock", "docker/containerd/containerd.sock", "containerd/containerd.sock", "crio/crio.sock"),
        *("podman/podman.sock", "user/*/docker.sock", "user/*/podman/podman.sock"),
    )
)
_SLUG_LENGTH = 32
_DIGEST_LENGTH = 16


def _absolute(path: str) -> str:
    parts = path.split("/")
    if not path.startswith("/") or path.rstrip("/") == "" or ".." in parts or ":" in path or "," in path:
        raise ValueError("it should be an absolute path below /, without '..', ':' and ','")
    return path.rstrip("/")


def _refuse_files(target: str, *, field: str) -> None:
    """Raise if a target would hide the container's own volume, or a part of it."""
    if target == FILES or target.startswith(f"{FILES}/"):
        raise ValueError(f"{field}: {FILES} is where the container's own files are (got {target!r})")


def _reaches_engine(source: str) -> bool:
    """Tell whether a path is an engine's socket, or a folder above one."""
    path = PurePosixPath("/", *PurePosixPath(source).parts[1:])
    return path.name.endswith(_SOCKETS) or any(
        # The shorter of both decides how far they are compared.
        len(path.parts) <= len(place) and all(map(fnmatchcase, path.parts, place))
        for place in _SOCKET_PLACES
    )


AbsolutePath = Annotated[str, StringConstraints(max_length=1024), AfterValidator(_absolute)]
DeviceId = Annotated[str, StringConstraints(pattern=_DEVICE)]
FileName = Annotated[str, StringConstraints(pattern=_FILE_NAME)]


class Gpus(Declaration):
    """Which GPUs one container gets: so many, or exactly these."""

    count: int | None = Field(default=None, ge=1, le=64)
    device_ids: tuple[DeviceId, ...] = ()

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.count is None) == (not self.device_ids):
            raise ValueError("give either count or device_ids")
        if len(set(self.device_ids)) != len(self.device_ids):
            raise ValueError(f"device_ids: each device once (got {', '.join(self.device_ids)})")
        return self

    @property
    def number(self) -> int:
        """How many GPUs that is."""
        return self.count if self.count is not None else len(self.device_ids)


class Mount(Declaration):
    """A folder of the engine's machine, or a named volume, inside the container."""

    source: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    target: AbsolutePath
    read_only: bool = True
    kind: Literal["bind", "volume"] = "bind"

    @model_validator(mode="after")
    def _source_is_of_its_kind(self) -> Self:
        _refuse_files(self.target, field="target")
        if self.kind == "volume":
            if not re.match(_ENGINE_NAME, self.source):
                raise ValueError(f"source: give a volume's name (got {self.source!r})")
            return self
        _absolute(self.source)
        if _reaches_engine(self.source):
            raise ValueError(f"source: {self.source!r} would give the container the whole machine")
        return self


class ContainerSpec(Declaration):
    """One hardened container. It never gains privileges, and has no capabilities but those listed.

    Parameters
    ----------
    command
        The program and its arguments; no shell reads them.
    user
        ``uid`` or ``uid:gid``, in numbers. Root only with ``root_allowed``.
    network
        ``none``, ``host``, or the name of a Docker network.
    memory_mb
        The container is ended beyond it; there is no swap on top.
    cpus
        At most as many as the engine's machine has are asked of it.
    tmpfs
        Folders in memory, path to megabytes; they count as the container's memory.
    capabilities
        Added after all are dropped.
    """

    image: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}$")]
    command: tuple[str, ...] = Field(min_length=1)
    entrypoint: tuple[str, ...] | None = None
    environment: dict[Annotated[str, StringConstraints(pattern=_VARIABLE)], str] = Field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    working_directory: AbsolutePath | None = None
    user: Annotated[str, StringConstraints(pattern=_USER)] = "65532:65532"
    root_allowed: bool = False
    network: Annotated[str, StringConstraints(pattern=_ENGINE_NAME)] = NO_NETWORK
    memory_mb: int = Field(default=4096, ge=16)
    cpus: float = Field(default=2.0, ge=0.01, le=1024)
    pids_limit: int = Field(default=512, ge=1)
    shm_mb: int = Field(default=64, ge=1)
    tmpfs: dict[AbsolutePath, Annotated[int, Field(ge=1)]] = Field(default_factory=lambda: {"/tmp": 1024})  # noqa: S108
    gpus: Gpus | None = None
    read_only_root: bool = True
    capabilities: tuple[Annotated[str, StringConstraints(pattern=_CAPABILITY)], ...] = ()
    init: bool = True

    @model_validator(mode="after")
    def _no_root_by_accident(self) -> Self:
        if self.user_id == 0 and not self.root_allowed:
            raise ValueError(
                f"user: it should not be root (got {self.user!r}); say root_allowed=True if it must"
            )
        for folder in self.tmpfs:
            _refuse_files(folder, field="tmpfs")
        targets = [mount.target for mount in self.mounts] + list(self.tmpfs)
        if len(set(targets)) != len(targets):
            raise ValueError(f"mounts, tmpfs: each target once (got {', '.join(targets)})")
        return self

    @property
    def user_id(self) -> int:
        """The user's number."""
        return int(self.user.partition(":")[0])

    @property
    def group_id(self) -> int:
        """The group's number; the user's own if none is given."""
        return int(self.user.rpartition(":")[2])


class ContainerJob(Declaration):
    """Containers that do one thing, once: the operation key says which.

    Parameters
    ----------
    key
        Operation key. The names of containers, volumes and network follow from it alone, so a retry finds
        them.
    nodes
        Containers of the same kind on a network of their own; they reach each other by ``node_names``.
    labels
        Say what the job belongs to; they do not decide whether a container is adopted.
    inputs
        File name to text; found in ``/mlops/work`` of every node.
    result
        Name of the file in ``/mlops/work`` that node 0 writes; None where there is none.
    provenance
        Environment variables that say of what a container was begun, such as a commit. They do not decide
        either: one that is adopted keeps those it was started with.
    secrets
        Further environment variables, which may change from try to try: they do not decide either.
    """

    key: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    spec: ContainerSpec
    nodes: int = Field(default=1, ge=1, le=64)
    labels: dict[Annotated[str, StringConstraints(pattern=_LABEL)], str] = Field(default_factory=dict)
    inputs: dict[FileName, str] = Field(default_factory=dict)
    result: FileName | None = None
    provenance: dict[Annotated[str, StringConstraints(pattern=_VARIABLE)], str] = Field(default_factory=dict)
    secrets: dict[Annotated[str, StringConstraints(pattern=_VARIABLE)], str] = Field(
        default_factory=dict, repr=False
    )

    @model_validator(mode="after")
    def _files_do_not_collide(self) -> Self:
        taken = {*self.inputs, "checkpoints"}
        if "checkpoints" in self.inputs or self.result in taken:
            raise ValueError(
                f"inputs, result: each name once, and none is 'checkpoints' (got {self.result!r})"
            )
        return self

    @property
    def name(self) -> str:
        """Name of the job, and of its network where it has several nodes."""
        return container_name(self.key)

    @property
    def node_names(self) -> tuple[str, ...]:
        """Names of the containers, by node; on their network also host names."""
        return tuple(node_name(self.name, node) for node in range(self.nodes))

    @property
    def volume_names(self) -> tuple[str, ...]:
        """Names of the volumes, by node, unless containers of it were kept with theirs."""
        return tuple(volume_name(node) for node in self.node_names)

    @property
    def network_name(self) -> str | None:
        """Name of the nodes' own network; None where there is none."""
        return self.name if self.nodes > 1 and self.spec.network != HOST_NETWORK else None

    def digest(self) -> str:
        """Return what decides whether a container found is this job's: spec, files and nodes."""
        # Sorted: the order in which variables were named says nothing.
        document = json.dumps(
            self.model_dump(mode="json", exclude={"key", "labels", "provenance", "secrets"}), sort_keys=True
        )
        return hashlib.sha256(document.encode()).hexdigest()

    def without_gpus(self) -> Self:
        """Return the same job on the CPU."""
        return self.model_copy(update={"spec": self.spec.model_copy(update={"gpus": None})})


def container_name(key: str) -> str:
    """Name what an operation key stands for: readable, unique, and valid as a host name with a node's number.

    At most 60 characters.
    """
    digest = hashlib.sha256(key.encode()).hexdigest()[:_DIGEST_LENGTH]
    slug = re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")[:_SLUG_LENGTH].strip("-")
    return "-".join(part for part in ("mlops", slug, digest) if part)


def node_name(name: str, node: int) -> str:
    """Name one node's container."""
    return f"{name}-{node}"


def volume_name(node: str, number: int = 1) -> str:
    """Name the volume of one node's container; a higher number where earlier ones were kept."""
    return f"{node}-files" if number == 1 else f"{node}-files-{number}"
