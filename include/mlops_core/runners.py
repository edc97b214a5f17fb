"""Where a candidate is fitted, as it is declared. Light: a DAG file imports it.

Nothing here comes from a run's conf: an image, its limits and its devices are the author's word.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from mlops_core.containers.specification import DeviceId
from mlops_core.declaration import Declaration


class InProcess(Declaration):
    """In the process of the task."""

    kind: Literal["in_process"] = "in_process"


class Docker(Declaration):
    """In a container on a Docker engine, or in several at once.

    The container is hardened: no capabilities, no new privileges, a read-only root, a user that is not root.

    Parameters
    ----------
    image
        Holds the library and the model's package; the setting ``MLOPS_TRAIN_IMAGE`` if None.
    gpus
        How many GPUs each node gets, or the ids of the devices.
    nodes
        Containers that fit together through torchrun.
    processes
        Processes of one node, with GPUs no more than these; one a GPU if None, and one without GPUs.
    restarts
        How often torchrun starts the processes anew after one of them died.
    cpu_fallback
        Fit on the CPU where the engine has no GPU, instead of failing.
    """

    kind: Literal["docker"] = "docker"
    image: Annotated[str, StringConstraints(min_length=1, max_length=255)] | None = None
    gpus: Annotated[int, Field(ge=0, le=64)] | Annotated[tuple[DeviceId, ...], Field(min_length=1)] = 0
    nodes: int = Field(default=1, ge=1, le=64)
    processes: int | None = Field(default=None, ge=1, le=64)
    restarts: int = Field(default=0, ge=0, le=10)
    memory_mb: int = Field(default=4096, ge=256, description="Of one node; there is no swap beyond it")
    cpus: float = Field(default=2.0, gt=0, le=1024, description="Of one node")
    shm_mb: int = Field(default=512, ge=64, description="Shared memory of one node")
    cpu_fallback: bool = False

    @model_validator(mode="after")
    def _check_processes(self) -> Self:
        if self.processes is not None and 0 < self.gpus_per_node < self.processes:
            raise ValueError(
                f"processes is {self.processes} and gpus gives each node {self.gpus_per_node}: every process "
                "needs a GPU of its own; ask for as many gpus, or leave processes out"
            )
        return self

    @property
    def gpus_per_node(self) -> int:
        """How many GPUs each node asks for."""
        return self.gpus if isinstance(self.gpus, int) else len(self.gpus)

    @property
    def processes_per_node(self) -> int:
        """How many processes fit on each node."""
        return self.processes or max(1, self.gpus_per_node)


RunnerDeclaration = Annotated[InProcess | Docker, Field(discriminator="kind")]
