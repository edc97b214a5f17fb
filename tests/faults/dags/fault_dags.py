"""A DAG for every row of the kill matrix: one container, with a task around it that something happens to."""

import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from airflow_mlops.operators.docker import DockerJobOperator, GpuDockerOperator
from faults.scenarios import SCENARIOS, Mode, Scenario
from mlops_core.containers.specification import ContainerSpec

_WORK = Path(__file__).parents[1] / "work.py"


def note_process(context: Any) -> None:
    """Say which process to kill."""
    folder = Path(os.environ["MLOPS_FAULTS_FOLDER"])
    (folder / context["ti"].dag_id).write_text(str(os.getpid()))


class DyingOperator(DockerJobOperator):
    """Dies by SIGKILL at the first try, where no person could aim at."""

    def __init__(self, *, dies: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dies = dies
        self._try = 0

    def run_container(self, context: Any) -> Any:
        """Run the container, and die in the middle of starting it."""
        self._try = context["ti"].try_number
        if self._is_to_die("before_start"):
            from mlops_core.containers.start import JobStart

            # Of this process alone, which is a fork for this try.
            JobStart._start = _die  # type: ignore[method-assign]
        result = super().run_container(context)
        self._die_if("at_the_end")
        return result

    def execute_complete(self, context: Any, event: dict[str, Any], ids: list[str]) -> Any:
        """Go on after the trigger."""
        self._try = context["ti"].try_number
        result = super().execute_complete(context, event, ids)
        self._die_if("at_the_end")
        return result

    def follow_containers(self, *arguments: Any, **options: Any) -> Any:
        """Follow the containers, unless it dies before that."""
        self._die_if("after_start")
        return super().follow_containers(*arguments, **options)

    def _defer(self, *arguments: Any, **options: Any) -> None:
        self._die_if("after_start")
        super()._defer(*arguments, **options)

    def _settle(self, *arguments: Any, **options: Any) -> Any:
        self._die_if("before_result")
        return super()._settle(*arguments, **options)

    def _leave(self, *arguments: Any, **options: Any) -> None:
        super()._leave(*arguments, **options)
        self._die_if("after_removal")

    def _is_to_die(self, where: str) -> bool:
        return self.dies == where and self._try == 1

    def _die_if(self, where: str) -> None:
        if self._is_to_die(where):
            _die()


def _die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def declare(scenario: Scenario, mode: Mode) -> None:
    """Make the DAG of one row."""
    options: dict[str, Any] = {
        "task_id": "work",
        "container": ContainerSpec(
            image=scenario.image, command=("python3", "-u", "/mlops/work/work.py"), memory_mb=64, cpus=0.5
        ),
        "arguments": (scenario.ending,),
        "inputs": {"work.py": _WORK.read_text()},
        "result": "result.json",
        "deferrable": mode == "deferred",
        "retries": scenario.retries,
        "retry_delay": timedelta(seconds=1),
        "pre_execute": note_process,
    }
    if scenario.timeout_seconds is not None:
        options["execution_timeout"] = timedelta(seconds=scenario.timeout_seconds)
    if scenario.through_proxy:
        options["docker_url"] = os.environ["MLOPS_FAULTS_ENGINE"]
    if scenario.gpus:
        GpuDockerOperator(gpus=scenario.gpus, **options)
    else:
        DyingOperator(dies=scenario.dies, **options)


for _scenario in SCENARIOS:
    for _mode in _scenario.modes:
        with DAG(_scenario.dag_id(_mode), schedule=None):
            declare(_scenario, _mode)
