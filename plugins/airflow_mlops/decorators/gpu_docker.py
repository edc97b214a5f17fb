"""``@task.gpu_docker``: a Python function that runs in a container, on a GPU.

The function's source and its arguments go into the container as files, and what it returns comes back as one:
all three are text, nothing is pickled and nothing is read from what the container prints.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from airflow.sdk.bases.decorator import DecoratedOperator, TaskDecorator, task_decorator_factory

from airflow_mlops.operators.docker import GpuDockerOperator
from mlops_core.containers.specification import WORK, ContainerSpec
from mlops_core.errors import DeclarationError

# Runs in the container; Python's own library is all that it may count on.
_CALL = """\
import json, os, runpy

os.chdir("/mlops/work")
with open("call.json", encoding="utf-8") as file:
    call = json.load(file)
function = runpy.run_path("function.py")[call["function"]]
text = json.dumps(function(*call["args"], **call["kwargs"]), allow_nan=False)
with open("result.json.part", "w", encoding="utf-8") as file:
    file.write(text)
os.replace("result.json.part", "result.json")
"""


class GpuDockerDecoratedOperator(DecoratedOperator, GpuDockerOperator):
    """Call a Python function in a container; XCom: what it returns, which must be JSON.

    The function is sent as its source: it imports what it needs inside itself, from the image, and uses
    nothing of the DAG file around it. Its arguments must be JSON too.

    Parameters
    ----------
    image
        What the function runs in; it has ``python3``.
    limits
        Further fields of ``ContainerSpec``: ``memory_mb``, ``cpus``, ``shm_mb``, ``mounts``, ``network``, ….
    gpus, cpu_fallback, environment, mlflow_run_id, …
        As of :class:`~airflow_mlops.operators.docker.GpuDockerOperator`.
    """

    custom_operator_name = "@task.gpu_docker"
    template_fields: Sequence[str] = ("op_args", "op_kwargs", "environment", "mlflow_run_id")

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any],
        op_kwargs: Mapping[str, Any],
        image: str,
        limits: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            container=ContainerSpec(image=image, command=("python3", f"{WORK}/call.py"), **(limits or {})),
            result="result.json",
            **kwargs,
        )

    def container_inputs(self) -> dict[str, str]:
        """Return the function, its arguments, and the program that calls it."""
        call = {
            "function": self.python_callable.__name__,
            "args": list(self.op_args),
            "kwargs": dict(self.op_kwargs),
        }
        try:
            text = json.dumps(call, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise DeclarationError(
                f"the arguments of {call['function']} must be JSON to go into a container: {error}"
            ) from error
        return {"call.py": _CALL, "call.json": text, "function.py": self.get_python_source()}  # type: ignore[no-untyped-call]


def gpu_docker_task(
    python_callable: Callable[..., Any] | None = None,
    multiple_outputs: bool | None = None,
    **kwargs: Any,
) -> TaskDecorator:
    """Make ``@task.gpu_docker`` of a function; see :class:`GpuDockerDecoratedOperator`."""
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=multiple_outputs,
        decorated_operator_class=GpuDockerDecoratedOperator,
        # Airflow needs queue, pool and retries of a mapped function before it makes a task of it.
        **{**GpuDockerOperator.placement(kwargs), **kwargs},
    )
