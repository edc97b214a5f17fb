"""What Airflow has done with a task before this try, and what it does after it."""

import logging
from typing import TYPE_CHECKING

from airflow.sdk import RetryAction

from airflow_mlops.task_states import SET_BY_PERSONS
from mlops_core.errors import DeclarationError, RejectedError

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.definitions.retry_policy import RetryPolicy
    from airflow.sdk.execution_time.context import TaskStateStoreAccessor
    from pydantic import JsonValue

_ROUND = "mlops_container_tries"

log = logging.getLogger(__name__)


class Round:
    """The tries of a task instance from one clearing to the next.

    Clearing a task that has ended raises the number of tries that it may have to those that it had and
    ``retries`` more; a retry does not. An edit of ``retries`` before the clearing may make up for that: then
    both have changed, and the run says that something was cleared.

    Parameters
    ----------
    retries
        Of the task as it is declared now.
    """

    def __init__(self, context: "Context", *, retries: int | None) -> None:
        self._store: TaskStateStoreAccessor = context["task_state_store"]
        clears = context["dag_run"].clear_number or 0
        self._now: list[JsonValue] = [context["ti"].max_tries, retries or 0, clears]
        self._noted = self._store.get(_ROUND)

    @property
    def is_another(self) -> bool:
        """Whether a person has cleared the task since the last note; False where nothing is noted."""
        if self._noted is None:
            return False
        if not isinstance(self._noted, list):
            # Earlier versions noted the number of tries alone.
            return self._noted != self._now[0]
        (tries, *others), (tries_now, *others_now) = self._noted, self._now
        both_changed = all(before != now for before, now in zip(others, others_now, strict=True))
        return tries != tries_now or both_changed

    def note(self) -> None:
        """Remember this round for the next try."""
        if self._noted != self._now:
            self._store.set(_ROUND, self._now)


def is_retried(
    context: "Context", error: BaseException, *, policy: "RetryPolicy | None", was_killed: bool = False
) -> bool:
    """Whether Airflow tries again after an error.

    Parameters
    ----------
    was_killed
        Airflow has told the process to end; then a person may have ended the task.
    """
    task_instance = context["ti"]
    if task_instance.try_number > task_instance.max_tries:
        return False
    if was_killed and is_ended_by_person(context):
        return False
    if isinstance(error, (RejectedError, DeclarationError)):
        return False
    if policy is None:
        return True
    decision = policy.evaluate(error, task_instance.try_number, task_instance.max_tries, context)
    return decision.action is not RetryAction.FAIL


def is_ended_by_person(context: "Context") -> bool:
    """Whether somebody has marked, cleared or deleted the task; what Airflow does not answer is no."""
    task_instance = context["ti"]
    try:
        states = task_instance.get_task_states(
            dag_id=task_instance.dag_id,
            task_ids=[task_instance.task_id],
            run_ids=[task_instance.run_id],
            map_index=task_instance.map_index,
        )
    except Exception as error:  # noqa: BLE001  in the last seconds of a process any answer may be missing
        log.warning("Airflow does not say why the task is ended: %s", error)
        return False
    tasks = states.get(task_instance.run_id, {}).values()
    return not tasks or any(str(state) in SET_BY_PERSONS for state in tasks)
