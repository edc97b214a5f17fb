"""One row being played, and what was seen of it."""

import contextlib
import re
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from faults.scenarios import Mode, Scenario
from faults.stage import TASK, Airflow, Stage
from faults.work import LINES
from following import wait_until
from mlops_core.cli.airflow_api import DagRun

_LEFT_SECONDS = 120.0
_LOG_SECONDS = 120.0
_LINE = re.compile(r"container (?P<container>[0-9a-f]{16}) line (?P<number>[0-9]+)\b")
_CHECKPOINTS = re.compile(r"container [0-9a-f]{16} finds ([0-9]+) checkpoints")
_ERROR = re.compile(r"\b(?:[A-Za-z_]+\.)*(?P<name>[A-Z][A-Za-z]+(?:Error|Timeout))\b")


@dataclass(frozen=True)
class Seen:
    """What came of one play.

    Parameters
    ----------
    most_alive, runs
        Containers that lived at the same time, and all that were started, as the engine tells it.
    checkpoints
        Files of earlier runs that the last container found; None where none got so far.
    missing, repeated
        Lines of the container of which the result is, not found in the task's log, or found again.
    """

    state: str
    tries: int
    most_alive: int
    runs: int
    containers_left: tuple[str, ...]
    volumes_left: tuple[str, ...]
    result: Any
    checkpoints: int | None
    missing: int
    repeated: int
    errors: tuple[str, ...]
    seconds: float
    logs: tuple[str, ...]


@dataclass(frozen=True)
class Play:
    """A run of a scenario's DAG."""

    scenario: Scenario
    mode: Mode
    run: DagRun
    began: float

    @classmethod
    def begin(cls, stage: Stage, scenario: Scenario, mode: Mode) -> "Play":
        """Trigger the DAG."""
        began = time.monotonic()
        return cls(scenario, mode, stage.airflow.trigger(scenario.dag_id(mode)), began)

    def wait_for_log(self, stage: Stage, *, line: int) -> None:
        """Return when a line of the container is in the task's log."""

        def shown() -> bool:
            return any(number >= line for _, number in _lines(stage.airflow, self.run))

        wait_until(shown, f"the log of {self.run.dag_id} shows line {line}")

    def wait_for_state(self, stage: Stage, state: str, *, try_number: int) -> None:
        """Return when the task is in a state, at a certain try."""

        def reached() -> bool:
            task = stage.airflow.task(self.run)
            return task is not None and (task.state, task.try_number) == (state, try_number)

        wait_until(reached, f"the task of {self.run.dag_id} is {state} at try {try_number}")

    def wait_for_note(self, stage: Stage, *, line: int) -> None:
        """Return when Airflow knows that the log has come to a line; the container must go no further."""

        def noted() -> bool:
            timestamp = stage.watch.timestamp(self.run.run_id, f" line {line}")
            return timestamp is not None and stage.airflow.noted(self.run) == timestamp

        wait_until(noted, f"line {line} of {self.run.dag_id} is noted")

    def wait_for_adoption(self, stage: Stage) -> None:
        """Return when a later try goes on with the container that runs."""

        def adopted() -> bool:
            return any(": adopted (" in log for log in stage.airflow.logs(self.run)[1:])

        wait_until(adopted, f"a later try of {self.run.dag_id} adopts the container")

    def wait_for_container(self, stage: Stage, *, line: int) -> None:
        """Return when the container has written a line, whoever follows it."""

        def written() -> bool:
            return f" line {line}\n" in stage.watch.output(self.run.run_id)

        wait_until(written, f"the container of {self.run.dag_id} writes line {line}")

    def see(self, stage: Stage) -> Seen:
        """Let the containers go on, wait for the end of the run, and look at what it left."""

        def over() -> DagRun | None:
            stage.watch.tell(self.run.run_id)
            run = stage.airflow.api.run(self.run.dag_id, self.run.run_id)
            return run if run.is_over else None

        ended = wait_until(over, f"{self.run.dag_id} is over")
        seconds = time.monotonic() - self.began
        containers, volumes = self._wait_until_clean(stage)
        result = stage.airflow.api.xcom(self.run, TASK)
        missing, repeated = self._compare_log(stage, result)
        task = stage.airflow.task(self.run)
        life = stage.watch.life(self.run.run_id)
        logs = stage.airflow.logs(self.run)
        return Seen(
            state=ended.state,
            tries=task.try_number if task else 0,
            most_alive=life.most_alive,
            runs=len(life.started),
            containers_left=containers,
            volumes_left=volumes,
            result=result,
            checkpoints=int(found[-1]) if (found := _CHECKPOINTS.findall("\n".join(logs))) else None,
            missing=missing,
            repeated=repeated,
            errors=tuple(dict.fromkeys(name for log in logs for name in _ERROR.findall(log))),
            seconds=seconds,
            logs=logs,
        )

    def _wait_until_clean(self, stage: Stage) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Give a triggerer, which is told later than the person, time to remove what it followed."""

        def clean() -> bool:
            return not (stage.watch.containers(self.run.run_id) or stage.watch.volumes(self.run.run_id))

        with contextlib.suppress(TimeoutError):
            wait_until(clean, "nothing is left", seconds=_LEFT_SECONDS)
        return tuple(stage.watch.containers(self.run.run_id)), tuple(stage.watch.volumes(self.run.run_id))

    def _compare_log(self, stage: Stage, result: Any) -> tuple[int, int]:
        if not isinstance(result, dict):
            return 0, 0

        def counted() -> Counter[int]:
            found = _lines(stage.airflow, self.run)
            return Counter(number for container, number in found if container == result["run"])

        with contextlib.suppress(TimeoutError):
            wait_until(lambda: len(counted()) == LINES, "the log is written", seconds=_LOG_SECONDS)
        numbers = counted()
        return LINES - len(numbers), numbers.total() - len(numbers)


def _lines(airflow: Airflow, run: DagRun) -> list[tuple[str, int]]:
    """Return the lines of containers that the logs of all tries show, as container and number."""
    text = "\n".join(airflow.logs(run))
    return [(found["container"], int(found["number"])) for found in _LINE.finditer(text)]
