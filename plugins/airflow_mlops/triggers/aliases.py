"""Watch in the triggerer whether MLflow's aliases are what the ledger says."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from airflow_mlops.hooks.mlflow import MlflowHook


class AliasesTrigger(BaseEventTrigger):
    """Fire whenever the aliases of a model differ from the ledger; the event names the models.

    While they stay different it fires again after a minute: the run that should have healed them failed.
    Servers that do not answer are asked again at the next look.

    Parameters
    ----------
    mlflow_conn_id
        Connection of type ``mlflow``.
    every_s
        Seconds between two looks.
    """

    def __init__(self, *, mlflow_conn_id: str = MlflowHook.default_conn_name, every_s: float = 15.0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow has no annotations here
        self.mlflow_conn_id = mlflow_conn_id
        self.every_s = every_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what another triggerer needs to go on."""
        return (
            "airflow_mlops.triggers.aliases.AliasesTrigger",
            {"mlflow_conn_id": self.mlflow_conn_id, "every_s": self.every_s},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look, and fire where they differ."""
        from mlops_core.errors import ServiceUnavailableError

        quiet_looks = max(1, round(60 / self.every_s))
        since_fired = quiet_looks
        while True:
            try:
                models = await self._look()
            except ServiceUnavailableError as error:
                self.log.warning("the aliases are not known: %s", error)
                models = ()
            if models and since_fired >= quiet_looks:
                since_fired = 0
                yield TriggerEvent({"models": list(models)})
            since_fired = since_fired + 1 if models else quiet_looks
            await asyncio.sleep(self.every_s)

    async def _look(self) -> tuple[str, ...]:
        hook = MlflowHook(self.mlflow_conn_id)
        hook.connection = await hook.aget_connection(self.mlflow_conn_id)
        return await asyncio.to_thread(_differing, hook)


def _differing(hook: MlflowHook) -> tuple[str, ...]:
    from mlops_core.registry.differences import differing_models
    from mlops_core.registry.ledger import Ledger
    from mlops_core.settings import Settings

    with Ledger(Settings.from_environment().ledger_url) as ledger:
        return differing_models(ledger=ledger, client=hook.get_conn())
