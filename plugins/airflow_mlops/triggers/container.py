"""Follow containers in the triggerer, while their task holds no worker slot."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_mlops.task_states import LET_GO

if TYPE_CHECKING:
    from mlops_core.containers.follow import Line


class ContainerTrigger(BaseTrigger):
    """Fire once when all containers of a job have ended; what they write goes into the task's log.

    The event is JSON: ``ended`` is an ``Ended``, or else ``unavailable`` says why the engine is given up;
    ``ids`` and ``since`` say up to which line the log shows the containers.
    When the triggerer dies, the next one shows the log again from the line where the task was deferred.

    Parameters
    ----------
    address
        An ``EngineAddress`` as JSON. It holds no secrets: triggers are stored in Airflow's database.
    name
        Of the container job; removed by it when a person ends the task.
    ids
        The containers, a node each.
    since
        Time stamp of the last line that is in the log already.
    deadline
        Unix time in seconds at which the containers have had their time.
    """

    def __init__(
        self,
        *,
        address: dict[str, Any],
        name: str,
        ids: list[str],
        since: str | None = None,
        deadline: float | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow has no annotations here
        self.address = address
        self.name = name
        self.ids = ids
        self.since = since
        self.deadline = deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what another triggerer needs to go on."""
        return (
            "airflow_mlops.triggers.container.ContainerTrigger",
            {
                "address": self.address,
                "name": self.name,
                "ids": self.ids,
                "since": self.since,
                "deadline": self.deadline,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the end without a loop that polls: the engine answers when there is something to say."""
        from mlops_core.containers.address import EngineAddress
        from mlops_core.containers.follow import follow
        from mlops_core.errors import DockerUnavailableError

        shown = self.since

        def show(line: "Line") -> None:
            nonlocal shown
            self.log.info("%s", line.text)
            shown = line.timestamp

        try:
            ended = await follow(
                EngineAddress.model_validate(self.address),
                self.ids,
                on_line=show,
                since=self.since,
                deadline=self.deadline,
            )
        except DockerUnavailableError as error:
            yield TriggerEvent({"unavailable": str(error), "ids": self.ids, "since": shown})
        else:
            yield TriggerEvent({"ended": ended.model_dump(mode="json"), "ids": self.ids, "since": shown})

    async def on_kill(self) -> None:
        """Remove the containers of a task that a person marked or cleared.

        A triggerer that was away is told the same of triggers that it has lost to others: that task waits
        on, or takes the result by now. The next try of a cleared task may have begun as well; it removes what
        it finds of the try before.
        """
        if await self._is_waited_for():
            self.log.info("the task goes on; %s is left to it", self.name)
        else:
            await asyncio.to_thread(self._remove)

    async def _is_waited_for(self) -> bool:
        """Whether the task has not ended, nor been cleared or deleted."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        task_instance = self.task_instance
        if task_instance is None:
            return False
        run_id, task_id = task_instance.run_id, task_instance.task_id
        states = await asyncio.to_thread(
            RuntimeTaskInstance.get_task_states,
            dag_id=task_instance.dag_id,
            task_ids=[task_id],
            run_ids=[run_id],
            map_index=task_instance.map_index,
        )
        found = {str(state) for state in states.get(run_id, {}).values()}
        return not found <= LET_GO

    def _remove(self) -> None:
        from mlops_core.containers.address import EngineAddress, connect
        from mlops_core.containers.engine import ContainerEngine

        self.log.info("the task was ended by a person; removing %s", self.name)
        with ContainerEngine(connect(EngineAddress.model_validate(self.address))) as engine:
            engine.remove(self.name, files=True, only=self.ids)
