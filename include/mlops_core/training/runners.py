"""Where a train job runs in the process that was asked for it.

Containers are no runner: they outlive the process that started them. ``training/docker.py`` describes them;
``TrainOperator`` of the pack starts, follows and adopts them, because a task has several tries.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from mlops_core.errors import DeclarationError
from mlops_core.runners import Docker, InProcess
from mlops_core.training.job import TrainJob, TrainResult


class Runner(Protocol):
    """Runs train jobs somewhere: same job in, same result out, whatever the place.

    A runner raises what ``train`` raises, and running a job again that was ended adopts what was done.
    """

    def run(self, job: TrainJob) -> TrainResult:
        """Run one job to its end."""


class InProcessRunner:
    """Runs a job in the calling process."""

    def run(self, job: TrainJob) -> TrainResult:
        """Run one job to its end."""
        from mlops_core.training.train import train

        return train(job)


def _in_process(declared: InProcess) -> Runner:  # noqa: ARG001  there is nothing to choose
    return InProcessRunner()


RUNNERS: Mapping[str, Callable[[Any], Runner]] = {"in_process": _in_process}
"""By the declaration's kind. To add one: its declaration in ``mlops_core.runners``, a module that satisfies
Runner, a line here; the shared contract test holds it."""


def find_runner(declared: InProcess | Docker) -> Runner:
    """Return the runner that a declaration asks for.

    Raises
    ------
    DeclarationError
        If there is none of its kind; the message lists what there is.
    """
    try:
        return RUNNERS[declared.kind](declared)
    except KeyError:
        known = ", ".join(sorted(RUNNERS))
        raise DeclarationError(f"unknown runner {declared.kind!r}; known runners: {known}") from None
