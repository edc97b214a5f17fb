"""What a task does with containers: start them once, follow them, take their result, leave nothing behind."""

import asyncio
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import conf
from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_mlops.hooks.docker import connect_engine
from airflow_mlops.operators.leaving import KilledError, Leaving
from airflow_mlops.operators.log_position import LogPosition
from airflow_mlops.operators.step import StepOperator, as_xcom
from airflow_mlops.operators.tries import Round, is_ended_by_person
from airflow_mlops.placement import training_queue
from airflow_mlops.retries import RETRY_POLICY
from mlops_core.errors import ContainerFailedError, DockerUnavailableError, MlopsError

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.execution_time.context import TaskStateStoreAccessor

    from mlops_core.containers.address import EngineAddress
    from mlops_core.containers.ended import Ended
    from mlops_core.containers.engine import ContainerEngine
    from mlops_core.containers.follow import Line
    from mlops_core.containers.specification import ContainerJob

_RESULT = "mlops_container_result"
_ALARM_SECONDS = 1.0
"""How long after Airflow's own alarm a task sees for itself that its time is up."""


class ContainerOperator(StepOperator):
    """Run one container job, whatever dies meanwhile.

    The container's name follows from the task instance, so a retry finds the container of the try before it:
    one that runs is followed on from the line where the log stopped, one that has succeeded is not run again.
    There are never two of one task instance. It is removed when the task ends, in whatever way.

    Parameters
    ----------
    docker_url
        Address of the engine; ``DOCKER_HOST`` of the worker, or its local socket, if None. TLS is as the
        worker's ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH`` say.
    docker_conn_id
        Connection of type ``docker`` that signs in to a registry, where images are pulled from one.
    deferrable
        Follow the container in the triggerer, so that the task holds no worker slot meanwhile.
    keep
        Whether an ended container stays, stopped and under another name, to be looked at.
    placement_arguments
        Of a subclass: its own arguments that ``placement`` reads. What the task or the ``default_args`` of
        its DAG say of queue, pool and retries wins over the placement.
    """

    cpu_fallback = False

    def __init__(
        self,
        *,
        docker_url: str | None = None,
        docker_conn_id: str | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        keep: Literal["never", "on_failure", "always"] = "never",
        placement_arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        said = {name for name, value in kwargs.items() if value is not None}
        said.update(kwargs.get("default_args") or ())
        place = self.placement(placement_arguments or {})
        assumed = {name: value for name, value in place.items() if name not in said}
        super().__init__(**{**kwargs, **assumed})
        self.docker_url = docker_url
        self.docker_conn_id = docker_conn_id
        self.deferrable = deferrable
        self.keep = keep
        self._killed = False
        self._stop_following: Callable[[], object] | None = None

    @classmethod
    def placement(cls, arguments: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG003  for subclasses
        """Return what a task with these arguments takes where nobody says otherwise: queue, pool, retries."""
        return {"retry_policy": RETRY_POLICY, **training_queue()}

    @classmethod
    def partial(cls, **arguments: Any) -> Any:
        """Map the operator: Airflow needs queue, pool and retries of a mapped task before it makes one."""
        return super().partial(**{**cls.placement(arguments), **arguments})

    @abstractmethod
    def container_job(self, context: "Context") -> "ContainerJob":
        """Return what to run; the same at every try of a task instance."""

    @abstractmethod
    def take_result(self, context: "Context", content: bytes | None) -> Any:
        """Return what the task hands on, made of the result file; None where there is no file.

        Raises
        ------
        ContainerFailedError
            If the file is not what it must be.
        """

    def container_error(self, error: ContainerFailedError, job: "ContainerJob") -> MlopsError:  # noqa: ARG002
        """Return what made the job fail, where it tells; else the error as it is."""
        return error

    def record_usage(self, ended: "Ended") -> None:
        """Record what the containers used, in whatever way they ended."""

    def record_failure(self, *, by_person: bool) -> None:
        """Record that the task has failed and is not tried again.

        Its containers are removed by then, unless the engine is away. It must not raise: what the containers
        failed of matters more.
        """

    def step(self, context: "Context") -> Any:
        """Run the containers."""
        return self.run_container(context)

    def run_container(self, context: "Context") -> Any:
        """Start the containers or adopt those of an earlier try, and follow them to their end."""
        from mlops_core.containers.fallback import start_where_possible

        deadline = self._deadline(after=_ALARM_SECONDS)
        job = self.container_job(context)
        store: TaskStateStoreAccessor = context["task_state_store"]
        leaving = Leaving(self, job, context)
        with leaving.guarding():
            self._forget_if_cleared(context, job)
            kept = store.get(_RESULT)
            if isinstance(kept, dict) and kept["digest"] == job.digest():
                content = kept["content"]
                result = self.take_result(context, content if content is None else str(content).encode())
                self._leave(leaving)
                return result
            started = start_where_possible(self.engine, job, cpu_fallback=self.cpu_fallback)
            self.log.info("container %s: %s (image %s)", job.name, started.how, job.spec.image)
            # One stamp cannot say how far the log of several nodes has come; they are shown again.
            since = LogPosition(store, started.ids).shown if job.nodes == 1 else None
            if self.deferrable and not self._killed:
                self._defer(context, job, ids=started.ids, since=since)
            ended = self.follow_containers(context, ids=started.ids, since=since, deadline=deadline)
            if ended.timed_out:
                # Airflow's alarm rings once, and asyncio may have taken it for an error of its own.
                raise AirflowTaskTimeout(
                    f"{job.name} did not end in its time; give the task a longer execution_timeout"
                )
            return self._settle(context, job, ended)

    def execute_complete(self, context: "Context", event: dict[str, Any], ids: list[str]) -> Any:
        """Go on where the triggerer saw the containers end.

        Parameters
        ----------
        ids
            The containers that this try waits for. Where Airflow's database gives the number of a deleted
            trigger to the next one, as SQLite does, the event may be the former one's and tell of others.
        """
        from mlops_core.containers.ended import Ended

        with self.translated_errors():
            if event["ids"] != ids:
                self.log.info("the event tells of containers of an earlier try; going on with this one's")
                return as_xcom(self.run_container(context))
            job = self.container_job(context)
            LogPosition(context["task_state_store"], event["ids"]).note(event["since"])
            with Leaving(self, job, context).guarding():
                if "unavailable" in event:
                    raise DockerUnavailableError(event["unavailable"])
                return as_xcom(self._settle(context, job, Ended.model_validate(event["ended"])))

    def on_kill(self) -> None:
        """Stop following: Airflow ends the process within five seconds.

        A worker that is shut down, or that Airflow does not hear of, kills its tasks just as a person does.
        Which it was cannot be asked in the middle of a signal; ``Leaving`` asks, and removes the containers
        or leaves them to the next try.
        """
        self._killed = True
        if self._stop_following is not None:
            self._stop_following()

    @property
    def was_killed(self) -> bool:
        """Whether Airflow, or a person, ends the task before its containers have ended."""
        return self._killed

    @cached_property
    def address(self) -> "EngineAddress":
        """Where the engine is."""
        from mlops_core.containers.address import EngineAddress

        return EngineAddress.from_environment(self.docker_url)

    @cached_property
    def engine(self) -> "ContainerEngine":
        """The Docker engine of this worker."""
        slots = self.settings.gpu_slots or 0
        return connect_engine(self.address, docker_conn_id=self.docker_conn_id, gpu_slots=slots)

    def _deadline(self, *, after: float = 0.0) -> float | None:
        """Return when a task that begins now has had its time, in Unix seconds; None if it has any time."""
        timeout = self.execution_timeout
        return None if timeout is None else time.time() + timeout.total_seconds() + after

    def _defer(
        self, context: "Context", job: "ContainerJob", *, ids: tuple[str, ...], since: str | None
    ) -> None:
        # Triggers import much of Airflow that a DAG file does not need.
        from airflow_mlops.triggers.container import ContainerTrigger

        if is_ended_by_person(context):
            # Airflow refuses to defer it, and would tell neither a trigger nor this process to remove it.
            self._killed = True
            raise KilledError
        self.defer(
            trigger=ContainerTrigger(
                address=self.address.model_dump(mode="json"),
                name=job.name,
                ids=list(ids),
                since=since,
                # Airflow would end the trigger at its own timeout without a word to the operator.
                deadline=self._deadline(),
            ),
            method_name="execute_complete",
            kwargs={"ids": list(ids)},
        )

    def follow_containers(
        self, context: "Context", *, ids: tuple[str, ...], since: str | None, deadline: float | None = None
    ) -> "Ended":
        """Show what the containers write until they have ended, and note how far the log has come."""
        from mlops_core.containers.follow import follow

        position = LogPosition(context["task_state_store"], ids)
        position.note(since)

        def show(line: "Line") -> None:
            self.log.info("%s", line.text)
            position.move_to(line.timestamp)

        async def following() -> "Ended":
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            self._stop_following = lambda: loop.call_soon_threadsafe(task.cancel) if task else None
            noting = asyncio.create_task(position.keep_noted())
            try:
                if self._killed:
                    raise asyncio.CancelledError
                return await follow(self.address, ids, on_line=show, since=since, deadline=deadline)
            finally:
                self._stop_following = None
                noting.cancel()

        try:
            return asyncio.run(following())
        except asyncio.CancelledError:
            raise KilledError from None

    def _settle(self, context: "Context", job: "ContainerJob", ended: "Ended") -> Any:
        """Take the result and remove the containers, in an order that survives a kill at any point."""
        from mlops_core.containers.outcome import raise_for_end

        self.record_usage(ended)
        try:
            raise_for_end(ended, job_name=job.name)
            content = self.engine.result(job)
            text = None if content is None else _as_text(content, name=job.result)
            result = self.take_result(context, content)
        except ContainerFailedError as error:
            reason = self.container_error(error, job)
            raise reason from (None if reason is error else error)
        context["task_state_store"].set(_RESULT, {"digest": job.digest(), "content": text})
        # Stays there: until Airflow is told of the success, the process may die, and its next try begin.
        self._leave(Leaving(self, job, context))
        return result

    def _forget_if_cleared(self, context: "Context", job: "ContainerJob") -> None:
        """Remove what earlier tries left, if the task was cleared since: then it begins from the beginning.

        Clearing a task that runs is seen by its process, while that lives.
        """
        this = Round(context, retries=self.retries)
        if this.is_another:
            self.engine.remove(job, files=True)
            context["task_state_store"].delete(_RESULT)
        this.note()

    def _leave(self, leaving: Leaving) -> None:
        """Let go of the containers: the result is taken."""
        leaving.after_success()


def _as_text(content: bytes, *, name: str | None) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ContainerFailedError(f"/mlops/work/{name} is not text in UTF-8: {error}") from error
