"""What the kill matrix plays: how each task is declared, and what must come of it. A DAG file imports it."""

from dataclasses import dataclass
from typing import Literal

from faults.work import LAST_UNTOLD, LINES

Mode = Literal["sync", "deferred"]
Death = Literal["before_start", "after_start", "before_result", "after_removal", "at_the_end"]

IMAGE = "mlops-test-python:3.11"


@dataclass(frozen=True)
class Scenario:
    """One thing that goes wrong.

    Parameters
    ----------
    dies
        Where the task's process ends itself by SIGKILL at its first try; nowhere if None.
    runs
        How often the container must have been started, all tries together.
    checkpoints
        How many files of earlier runs the last one must find.
    shown_again
        How many lines of a container the log may show a second time; any number if None.
    error
        Name of the error class that the task's log must show; None where the task ends well, or by a person.
    succeeds
        What must come of the task.
    alone
        Whether it harms other tasks: those of the platform, or those behind the same proxy.
    """

    name: str
    title: str
    runs: int = 1
    checkpoints: int = 0
    shown_again: int | None = 0
    modes: tuple[Mode, ...] = ("sync", "deferred")
    ending: Literal["well", "exit_code", "out_of_memory", "never"] = "well"
    image: str = IMAGE
    gpus: int = 0
    retries: int = 5
    timeout_seconds: float | None = None
    through_proxy: bool = False
    dies: Death | None = None
    error: str | None = None
    succeeds: bool = True
    alone: bool = False

    def dag_id(self, mode: Mode) -> str:
        """Name the DAG that plays it."""
        return f"faults__{self.name}__{mode}"

    def error_class(self, mode: Mode) -> str | None:
        """Name the error class: Airflow itself ends what it runs, and the trigger what it follows."""
        if self.timeout_seconds is not None:
            return "AirflowTaskTimeout" if mode == "sync" else "ContainerTimeoutError"
        return self.error


SCENARIOS = (
    Scenario("task_killed", "SIGKILL of the task's process", modes=("sync",)),
    # Lines that were shown after the last note of the place are shown again.
    Scenario("worker_killed", "SIGKILL of the worker above it", modes=("sync",), shown_again=LAST_UNTOLD),
    Scenario("worker_ended", "SIGTERM of the worker above it", modes=("sync",), shown_again=LAST_UNTOLD),
    Scenario("killed_before_start", "SIGKILL between create and start", dies="before_start"),
    Scenario("killed_after_start", "SIGKILL between start and follow", dies="after_start"),
    Scenario(
        "killed_before_result",
        "SIGKILL after success, result not taken",
        dies="before_result",
        shown_again=LINES,
    ),
    Scenario("killed_after_removal", "SIGKILL after removal", dies="after_removal"),
    Scenario("killed_at_the_end", "SIGKILL at the end, Airflow not told", dies="at_the_end"),
    Scenario("marked_failed", "a person marks the task failed", succeeds=False),
    Scenario("cleared", "a person clears the running task", runs=2),
    Scenario(
        "cleared_unnoticed",
        "it is cleared, the triggerer notices late",
        runs=2,
        retries=0,
        modes=("deferred",),
        alone=True,
    ),
    Scenario(
        "timed_out",
        "execution_timeout, one retry",
        runs=2,
        checkpoints=1,
        retries=1,
        ending="never",
        timeout_seconds=30,
        succeeds=False,
    ),
    Scenario(
        "out_of_memory",
        "more memory than the limit",
        ending="out_of_memory",
        error="ContainerOutOfMemoryError",
        succeeds=False,
    ),
    Scenario(
        "exit_code",
        "exit code 3, one retry",
        runs=2,
        checkpoints=1,
        retries=1,
        ending="exit_code",
        error="ContainerFailedError",
        succeeds=False,
    ),
    Scenario(
        "image_missing",
        "no such image",
        runs=0,
        modes=("sync",),
        image="mlops-test-absent:1",
        error="ImageMissingError",
        succeeds=False,
    ),
    Scenario(
        "gpu_missing",
        "a GPU where there is none",
        runs=0,
        modes=("sync",),
        gpus=1,
        error="GpuMissingError",
        succeeds=False,
    ),
    Scenario("connection_lost", "the engine out of reach for seconds", through_proxy=True, alone=True),
    Scenario(
        "container_killed",
        "the engine away, its containers killed",
        runs=2,
        checkpoints=1,
        through_proxy=True,
        error="ContainerInterruptedError",
        alone=True,
    ),
    Scenario(
        "triggerer_killed",
        "SIGKILL of the triggerer",
        modes=("deferred",),
        alone=True,
        shown_again=LAST_UNTOLD,
    ),
    # How many tries Airflow begins and ends until it knows what it has lost is its own affair.
    Scenario("scheduler_stopped", "SIGTERM of the scheduler", alone=True, shown_again=None),
    Scenario("scheduler_killed", "SIGKILL of the scheduler", alone=True, shown_again=None),
    Scenario("machine_lost", "SIGKILL of scheduler, workers and tasks", alone=True, shown_again=None),
    Scenario(
        "engine_restarted",
        "restart of the engine",
        runs=2,
        checkpoints=1,
        alone=True,
        error="ContainerInterruptedError",
    ),
)
