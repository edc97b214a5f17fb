"""Run any image as a task that survives its worker, on a GPU where it is asked for."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_mlops.container_labels import container_labels
from airflow_mlops.links import MlflowRunLink
from airflow_mlops.operators.container import ContainerOperator
from airflow_mlops.operators.step import effect_key
from airflow_mlops.placement import GPU_POOL, gpu_slots
from mlops_core.containers.specification import ContainerJob, ContainerSpec, Gpus
from mlops_core.errors import ContainerFailedError
from mlops_core.operation import operation_key

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_core.containers.ended import Ended
    from mlops_core.training.resources import Usage


class DockerJobOperator(ContainerOperator):
    """Run a container to its end; XCom: the JSON of its result file.

    Hardened unless said otherwise: no capabilities, no new privileges, a read-only root with a temporary
    ``/tmp``, a user that is not root, a limit of processes, memory without swap, no network, an init process.

    ``arguments``, ``environment``, ``inputs`` and ``mlflow_run_id`` alone are templated: what people send
    with a run can become data for the container, never its image, a mount, or a word of a shell.

    Parameters
    ----------
    container
        Image, command, limits, mounts, network; checked when the DAG file is parsed.
    arguments
        Added to the container's command, each as one argument.
    environment
        Added to the container's variables.
    inputs
        Files for the container, name to text, found in ``/mlops/work``.
    result
        Name of the JSON file in ``/mlops/work`` that becomes the XCom; none if None.
    mlflow_run_id
        A tracked run that CPU seconds and peak memory are recorded on; none if None. Both are lower bounds:
        what is used after the last look, which is up to five seconds before the end, is not seen.

    Raises
    ------
    ContainerFailedError
        For an exit code that is not 0; with the last lines of the log.
    ContainerOutOfMemoryError, ImageMissingError
        Not retried by default.
    DockerUnavailableError, ImageUnavailableError, DiskFullError
        Retried by default.
    ContainerInterruptedError, ContainerLostError
        Retried by default.
    """

    template_fields: Sequence[str] = ("arguments", "environment", "inputs", "mlflow_run_id")
    operator_extra_links = (MlflowRunLink(),)

    def __init__(
        self,
        *,
        container: ContainerSpec,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        inputs: Mapping[str, str] | None = None,
        result: str | None = None,
        mlflow_run_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.container = container
        self.arguments = arguments
        self.environment = environment
        self.inputs = inputs
        self.result = result
        self.mlflow_run_id = mlflow_run_id

    def container_job(self, context: "Context") -> ContainerJob:
        """Return the declared container, named after this task instance."""
        declared = self.specification()
        return ContainerJob(
            key=operation_key(effect_key(context), self.settings.stack_name),
            spec=ContainerSpec(
                **{
                    **dict(declared),
                    "command": (*declared.command, *self.arguments),
                    "environment": {**declared.environment, **(self.environment or {})},
                }
            ),
            labels=container_labels(context, self.settings),
            inputs=self.container_inputs(),
            result=self.result,
        )

    def container_inputs(self) -> dict[str, str]:
        """Return the files that the container finds in ``/mlops/work``."""
        return dict(self.inputs or {})

    def take_result(self, context: "Context", content: bytes | None) -> Any:  # noqa: ARG002
        """Read the result file."""
        if self.result is None:
            return None
        if content is None:
            raise ContainerFailedError(
                f"the container ended with exit code 0 and wrote no /mlops/work/{self.result}"
            )
        try:
            return json.loads(content, parse_constant=_refuse_constant)
        except ValueError as error:
            raise ContainerFailedError(f"/mlops/work/{self.result} is not JSON: {error}") from error

    def record_usage(self, ended: "Ended") -> None:
        """Record CPU seconds and peak memory on the tracked run, if one is named."""
        if not self.mlflow_run_id:
            return
        from mlops_core.training.resources import log_usage

        try:
            log_usage(self.mlflow_client, self.mlflow_run_id, {**self.gpu_usage(), **ended.usage()})
            self.show_run(self.mlflow_run_id)
        except Exception as error:  # noqa: BLE001  how the container ended matters more
            self.log.warning("its use of the machine could not be recorded: %s", error)

    def gpu_usage(self) -> dict[str, float | None]:
        """Return what the container's GPUs were used for, where there are any and they could be watched."""
        return {}

    def specification(self) -> ContainerSpec:
        """Return the container as it is declared, without what varies with the run."""
        return self.container


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number, and Airflow could not store it")


class GpuDockerOperator(DockerJobOperator):
    """Run a container on GPUs; XCom: the JSON of its result file.

    The task takes one slot a GPU of the pool ``gpu``, which must exist, and at most all of them; it is queued
    where ``MLOPS_TRAINING_QUEUE`` says that workers with an engine listen. On one engine two containers never
    get the same device: each claims its own, and gives it back when it ends. A worker that sees no driver
    needs ``MLOPS_GPU_SLOTS`` for that.

    Parameters
    ----------
    gpus
        How many, or the ids of the devices.
    cpu_fallback
        Run without a GPU where the engine has none, instead of failing with ``GpuMissingError``.

    Notes
    -----
    GPU seconds, utilisation and peak memory go to the tracked run where the worker itself sees the driver and
    follows the container: the triggerer, which follows it with ``deferrable=True``, does not.
    """

    def __init__(
        self,
        *,
        gpus: int | Sequence[str] = 1,
        cpu_fallback: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(placement_arguments={"gpus": gpus}, **kwargs)
        self.gpus = gpus
        self.cpu_fallback = cpu_fallback
        self._usage: Usage | None = None

    @classmethod
    def placement(cls, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return queue, pool and retries: the pool of GPUs, with a slot a device."""
        gpus = arguments.get("gpus", 1)
        slots = gpus if isinstance(gpus, int) else len(gpus)
        return {**super().placement(arguments), "pool": GPU_POOL, "pool_slots": gpu_slots(slots)}

    def follow_containers(
        self, context: "Context", *, ids: tuple[str, ...], since: str | None, deadline: float | None = None
    ) -> "Ended":
        """Follow the containers, and watch the devices that they claim."""
        from mlops_core.training.probes import VisibleGpus
        from mlops_core.training.resources import ResourceMonitor

        claims = [found.gpus for found in self.engine.managed() if found.id in ids]
        devices = sorted(frozenset().union(*claims))
        with ResourceMonitor(gpus=lambda: VisibleGpus(devices=devices)) as monitor:
            ended = super().follow_containers(context, ids=ids, since=since, deadline=deadline)
        self._usage = monitor.usage
        return ended

    def gpu_usage(self) -> dict[str, float | None]:
        """Return GPU seconds, utilisation and peak memory, those that were measured."""
        measured = {} if self._usage is None else self._usage.model_dump(exclude_none=True)
        return {name: value for name, value in measured.items() if name.startswith("gpu_")}

    def specification(self) -> ContainerSpec:
        """Return the declared container with its GPUs."""
        count = self.gpus if isinstance(self.gpus, int) else None
        ids = () if isinstance(self.gpus, int) else tuple(self.gpus)
        return self.container.model_copy(update={"gpus": Gpus(count=count, device_ids=ids)})
