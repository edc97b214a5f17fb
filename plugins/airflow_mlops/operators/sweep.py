"""Remove what crashes have left on a Docker engine."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from airflow_mlops.hooks.docker import connect_engine
from airflow_mlops.operators.step import StepOperator
from airflow_mlops.task_states import ENDED
from mlops_core.containers.labels import DAG_ID, MAP_INDEX, RUN_ID, STACK, TASK_ID
from mlops_core.errors import DockerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

    from mlops_core.containers.engine import ContainerEngine
    from mlops_core.containers.labels import ManagedContainer


class SweepContainersOperator(StepOperator):
    """Remove containers, volumes and networks whose task has ended or is gone; XCom: what was removed.

    A task that will be tried again keeps its container: the next try follows it on. What was kept on purpose,
    for a look at a failure, stays. Skipped where the worker reaches no engine.

    Parameters
    ----------
    docker_url
        Address of the engine; ``DOCKER_HOST`` of the worker, or its local socket, if None. TLS is as the
        worker's ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH`` say.
    """

    def __init__(self, *, docker_url: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.docker_url = docker_url

    def step(self, context: "Context") -> list[dict[str, Any]]:
        """Ask Airflow for every container's task, and remove those that nobody waits for."""
        try:
            removed = self.engine.sweep(self.aliveness(context))
        except DockerUnavailableError as error:
            raise AirflowSkipException(str(error)) from error
        for thing in removed:
            self.log.warning("removed %s %s of %s", thing.kind, thing.name, thing.key)
        return [thing.model_dump(mode="json") for thing in removed]

    @cached_property
    def engine(self) -> "ContainerEngine":
        """The Docker engine of this worker."""
        from mlops_core.containers.address import EngineAddress

        return connect_engine(EngineAddress.from_environment(self.docker_url), docker_conn_id=None)

    def aliveness(self, context: "Context") -> "Callable[[ManagedContainer], bool]":
        """Return the question whether a container's task has not ended yet."""

        def is_alive(container: "ManagedContainer") -> bool:
            labels = container.labels
            if DAG_ID not in labels or labels.get(STACK) != self.settings.stack_name:
                # Of no task, or of another Airflow's on the same engine: whoever started it ends it.
                return True
            run_id, task_id = labels[RUN_ID], labels[TASK_ID]
            states = context["ti"].get_task_states(
                dag_id=labels[DAG_ID], task_ids=[task_id], run_ids=[run_id]
            )
            map_index = labels.get(MAP_INDEX, "-1")
            name = task_id if map_index == "-1" else f"{task_id}_{map_index}"
            tasks = states.get(run_id, {})
            return name in tasks and str(tasks[name]) not in ENDED

        return is_alive
