"""What is written on containers, volumes and networks, so that they are found without any other record."""

from typing import Any, Literal, Self

from mlops_core.containers.specification import ContainerJob
from mlops_core.document import Document

MANAGED = "mlops.managed"
KEY = "mlops.key"
NAME = "mlops.name"
NODE = "mlops.node"
DIGEST = "mlops.digest"
GPUS = "mlops.gpus"
STACK = "mlops.stack"
"""Whose platform a job belongs to: several may share an engine. Set by who makes the job."""
DAG_ID = "mlops.dag_id"
RUN_ID = "mlops.run_id"
TASK_ID = "mlops.task_id"
MAP_INDEX = "mlops.map_index"
"""Which task a job belongs to, if any; -1 where it is not mapped. Set by who makes the job."""

LIVE_STATES = frozenset({"created", "running", "paused", "restarting"})
"""States in which a container has, or is about to get, what it claims."""

_KEPT = ".kept-"
_FOR_GOOD = ".for-good"


class ManagedContainer(Document):
    """A container of ours, as the engine lists it.

    ``state`` is the engine's word: created, running, paused, restarting, removing, exited or dead;
    ``created`` is in Unix seconds; ``volumes`` are the names of those that it holds.
    """

    id: str
    name: str
    state: str
    labels: dict[str, str]
    created: float
    volumes: frozenset[str] = frozenset()

    @property
    def job_name(self) -> str:
        """Name of the job that it belongs to."""
        return self.labels.get(NAME, self.name)

    @property
    def is_kept(self) -> bool:
        """Whether it was put aside for a look at it."""
        return _KEPT in self.name

    @property
    def keeps_its_files(self) -> bool:
        """Whether it was kept and no later try goes on with its files."""
        return self.is_kept and _FOR_GOOD in self.name

    @property
    def gpus(self) -> frozenset[str]:
        """Ids of the devices that it claims."""
        return frozenset(device for device in self.labels.get(GPUS, "").split(",") if device)

    @classmethod
    def of(cls, listed: dict[str, Any]) -> Self:
        """Read one entry of the engine's list."""
        return cls(
            id=listed["Id"],
            name=(listed["Names"] or ["/"])[0].removeprefix("/"),
            state=listed["State"],
            labels=listed["Labels"] or {},
            created=listed["Created"],
            volumes=[mount["Name"] for mount in listed.get("Mounts") or () if mount["Type"] == "volume"],
        )


class Removed(Document):
    """Something that a sweep has removed; ``key`` is the operation key it was made for."""

    kind: Literal["container", "volume", "network"]
    name: str
    key: str


def job_labels(
    job: ContainerJob, *, node: int | None = None, devices: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return the labels of a job's network, or of one node's container and volume."""
    own = {MANAGED: "true", KEY: job.key, NAME: job.name, DIGEST: job.digest()}
    if node is not None:
        own |= {NODE: str(node), GPUS: ",".join(devices)}
    # Ours last: nobody's label may pass for another job's.
    return {**job.labels, **own}


def kept_name(name: str, *, suffix: str) -> str:
    """Name a container that is put aside."""
    return f"{name}{_KEPT}{suffix}"


def kept_for_good(name: str) -> str:
    """Name a container that was put aside and with whose files no later try goes on.

    A container's name is all that can be changed of it, and of a volume nothing can.
    """
    return f"{name}{_FOR_GOOD}"
