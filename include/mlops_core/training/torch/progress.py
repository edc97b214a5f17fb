"""How a fit goes: one line an epoch in the log, the same numbers on the run's page in MLflow."""

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops_core.document import Document
from mlops_core.errors import RegistryUnavailableError
from mlops_core.training.context import TrainingContext

if TYPE_CHECKING:
    from mlflow.entities import Metric

TRAINING_LOSS = "epoch_training_loss"
VALIDATION_LOSS = "epoch_validation_loss"
_RETRY_SECONDS = 60.0
_METRICS_A_CALL = 900

log = logging.getLogger("mlops_core.training")


class Epoch(Document):
    """One epoch that is over, with the seconds that it took before and after a restart."""

    number: int
    training_loss: float
    validation_loss: float | None
    rows: int
    seconds: float
    finished_at: float

    def line(self, *, epochs: int, best: int) -> str:
        """Say it in one line."""
        validation = ""
        if self.validation_loss is not None:
            note = "best" if best == self.number else f"best: epoch {best}"
            validation = f", validation loss {self.validation_loss:.5f} ({note})"
        pace = self.rows / self.seconds if self.seconds > 0 else 0.0
        return (
            f"epoch {self.number}/{epochs}: training loss {self.training_loss:.5f}{validation}, "
            f"{self.seconds:.1f} s, {pace:,.0f} rows/s"
        )


class MetricsReporter:
    """Sends epochs to the run of the current train job; without one it does nothing.

    A server that does not answer costs no fit: what could not be sent goes with a later epoch. Epochs that
    are there already, from before a restart, are not sent again. The first fit of a job has the plain names;
    the second one's begin with ``fit_2_``, and so on.
    """

    def __init__(self, context: TrainingContext | None) -> None:
        self._context = None if context is None or context.client is None else context
        number = 1 if self._context is None else next(self._context.fit_numbers)
        self._prefix = "" if number == 1 else f"fit_{number}_"
        self._there: set[int] | None = None
        self._not_before = 0.0

    def send(self, epochs: Sequence[Epoch], *, last: bool = False) -> None:
        """Send those epochs that are not there; ``last`` tries although the server was away a moment ago."""
        if self._context is None or (time.monotonic() < self._not_before and not last):
            return
        try:
            self._send(self._context.client, self._context.run_id, epochs)
        except RegistryUnavailableError as error:
            log.warning("metrics of the epochs so far are kept back: %s", error)
            self._not_before = time.monotonic() + _RETRY_SECONDS

    def _send(self, client: Any, run_id: str | None, epochs: Sequence[Epoch]) -> None:
        # A fit outside a train job, on a machine with a GPU and little else, needs no MLflow.
        from mlops_core.tracking import registry_errors

        with registry_errors(f"log the epochs of run {run_id}"):
            if self._there is None:
                history = client.get_metric_history(run_id, f"{self._prefix}{TRAINING_LOSS}")
                self._there = {metric.step for metric in history}
            new = [epoch for epoch in epochs if epoch.number not in self._there]
            metrics = [metric for epoch in new for metric in _metrics(epoch, prefix=self._prefix)]
            for start in range(0, len(metrics), _METRICS_A_CALL):
                client.log_batch(run_id, metrics=metrics[start : start + _METRICS_A_CALL])
            self._there |= {epoch.number for epoch in new}


def _metrics(epoch: Epoch, *, prefix: str) -> "list[Metric]":
    from mlflow.entities import Metric

    values = {"epoch_seconds": epoch.seconds, TRAINING_LOSS: epoch.training_loss}
    if epoch.validation_loss is not None:
        values[VALIDATION_LOSS] = epoch.validation_loss
    milliseconds = int(epoch.finished_at * 1000)
    return [Metric(f"{prefix}{name}", value, milliseconds, epoch.number) for name, value in values.items()]
