"""What a task leaves on the engine, in whatever way it ends."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowTaskTimeout, TaskDeferred

from airflow_mlops.operators.tries import is_ended_by_person, is_retried
from mlops_core.errors import ContainerLostError, DockerUnavailableError, MlopsError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_mlops.operators.container import ContainerOperator
    from mlops_core.containers.specification import ContainerJob


class KilledError(BaseException):
    """Airflow has told the task's process to end."""


class Leaving:
    """Decides at the end of a try what becomes of its containers.

    What another try goes on with stays; everything else is removed or, where ``keep`` says so, put aside. No
    refusal of the engine changes how the task ends: ``mlops__reconcile`` removes what is left.

    Parameters
    ----------
    operator
        The task; it is told when no try follows a failed one.
    """

    def __init__(self, operator: "ContainerOperator", job: "ContainerJob", context: "Context") -> None:
        self._operator = operator
        self._job = job
        self._context = context

    @contextlib.contextmanager
    def guarding(self) -> Iterator[None]:
        """Leave no container to nobody, in whatever way the block fails."""
        try:
            yield
        except TaskDeferred:
            # The trigger goes on.
            raise
        except KilledError:
            lost = ContainerLostError(f"the task was killed while it followed {self._job.name}")
            self._after_kill(lost)
            raise lost from None
        except DockerUnavailableError as error:
            # Nothing can be removed; the next try finds what is there.
            if not self._is_retried(error):
                self._give_up()
            raise
        except (MlopsError, AirflowTaskTimeout) as error:
            self._after_failure(error)
            raise
        except BaseException as error:
            # Nothing is wrong with the container: where there is another try, it goes on with it.
            if not self._is_retried(error):
                self._remove(files=True)
                self._give_up()
            raise

    def after_success(self) -> None:
        """Remove the containers of a task whose result is taken."""
        self._remove(files=True, keep=self._operator.keep == "always")

    def _after_kill(self, lost: ContainerLostError) -> None:
        if self._is_retried(lost):
            self._operator.log.info("the process was told to end; %s is left to the next try", self._job.name)
            return
        self._operator.log.info("the task was ended; removing %s", self._job.name)
        self._remove(files=True)
        self._give_up()

    def _after_failure(self, error: BaseException) -> None:
        is_final = not self._is_retried(error)
        # The files hold checkpoints: the next try goes on from them.
        self._remove(files=is_final, keep=self._operator.keep != "never")
        if is_final:
            self._give_up()

    def _remove(self, *, files: bool, keep: bool = False) -> None:
        """Remove the containers; with ``keep``, put them aside before, which leaves little to remove."""
        operator = self._operator
        try:
            if keep:
                operator.engine.keep(self._job, suffix=f"try{self._context['ti'].try_number}")
            operator.engine.remove(self._job, files=files)
        except MlopsError as refusal:
            # How the task ended matters more.
            operator.log.warning("%s is not removed: %s", self._job.name, refusal)

    def _is_retried(self, error: BaseException) -> bool:
        operator = self._operator
        return is_retried(self._context, error, policy=operator.retry_policy, was_killed=operator.was_killed)

    def _give_up(self) -> None:
        by_person = self._operator.was_killed and is_ended_by_person(self._context)
        self._operator.record_failure(by_person=by_person)
