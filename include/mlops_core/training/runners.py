"""Where a train job runs."""

from collections.abc import Callable, Mapping
from typing import Protocol

from mlops_core.errors import DeclarationError
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


RUNNERS: Mapping[str, Callable[[], Runner]] = {"in_process": InProcessRunner}
"""By name. To add one: a module that satisfies Runner, a line here, and the shared contract test holds it."""


def find_runner(name: str) -> Runner:
    """Return a runner by name.

    Raises
    ------
    DeclarationError
        If there is none; the message lists what there is.
    """
    try:
        return RUNNERS[name]()
    except KeyError:
        known = ", ".join(sorted(RUNNERS))
        raise DeclarationError(f"unknown runner {name!r}; known runners: {known}") from None
