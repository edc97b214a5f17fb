"""The story: seven steps in order, each reported as it happened."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mlops_core.cli.demo import data, flights, history, late, production, training
from mlops_core.cli.demo.outcome import Outcome
from mlops_core.cli.demo.progress import Progress
from mlops_core.cli.demo.stage import Stage
from mlops_core.errors import StoryError
from mlops_core.monitoring.decision import RetrainingDecision

STEPS = (
    "Ingest January to June",
    "Train, approve and deploy the first champion",
    "Ingest July, score it, watch it",
    "Do what the monitor decided",
    "Roll back while a challenger waits; its late approval is void",
    "Refuse poisoned deliveries",
    "Read what the ledger tells of it all",
)

_ANOTHER_SEED = 1

Report = Callable[[Outcome], None]
"""Called with every outcome as soon as it is known."""


@dataclass
class Story:
    """Tells the story on a stage; nothing in it is staged: decisions are the data's and the policies'."""

    stage: Stage
    progress: Progress
    report: Report
    _decision: RetrainingDecision | None = field(default=None, init=False)
    _trainings: frozenset[str] = field(default=frozenset(), init=False)

    def tell(self) -> None:
        """Run all steps.

        Raises
        ------
        StoryError
            If something went otherwise than it must.
        """
        stages = ("ingest", "train", "score", "monitor")
        self.stage.conductor.wait_for_dags({*map(self.stage.dag, stages), "mlops__rollback"})
        steps = (
            self._ingest_history,
            self._train_first,
            self._watch_new_month,
            self._retrain,
            self._roll_back,
            self._refuse_poison,
            self._read_history,
        )
        for number, tell in enumerate(steps, start=1):
            self.progress.begin(number)
            began = time.monotonic()
            for outcome in tell(number):
                seconds = outcome.seconds or time.monotonic() - began
                self.report(outcome.model_copy(update={"seconds": round(seconds, 1)}))
                began = time.monotonic()
            self.progress.end()

    def _ingest_history(self, step: int) -> Iterable[Outcome]:
        self.stage.unpause("ingest")
        yield data.ingest(self.stage, flights.HISTORY, step=step, title="Ingest January to June")

    def _train_first(self, step: int) -> Iterable[Outcome]:
        self.stage.unpause("train")
        yield training.train(
            self.stage, step=step, title="Train the first champion", reason="the first champion"
        )

    def _watch_new_month(self, step: int) -> Iterable[Outcome]:
        # Only now is there a version to score with; events for paused DAGs are not kept.
        self.stage.unpause("score", "monitor")
        self._trainings = frozenset(run.run_id for run in self.stage.api.runs(self.stage.dag("train")))
        yield data.ingest(self.stage, [flights.NEW_MONTH], step=step, title="Ingest July")
        yield production.score(self.stage, flights.NEW_MONTH, step=step, title="Score July")
        outcome, self._decision = production.watch(
            self.stage, flights.NEW_MONTH, step=step, title="Watch July"
        )
        yield outcome

    def _retrain(self, step: int) -> Iterable[Outcome]:
        if self._decision is None:
            raise StoryError("the monitor has decided nothing: its step was left out")
        yield production.carry_out(self.stage, self._decision, known=self._trainings, step=step)

    def _roll_back(self, step: int) -> Iterable[Outcome]:
        # The monitor may have had these data trained on already; another seed makes a challenger of its own.
        yield from late.approve_too_late(
            self.stage, step=step, reason="a person asked for another seed", seed=_ANOTHER_SEED
        )

    def _refuse_poison(self, step: int) -> Iterable[Outcome]:
        deliveries = flights.deliver_poison(self.stage.home.landing)
        try:
            yield from data.ingest_poisoned(self.stage, flights.POISONED, step=step)
        finally:
            # The good months can be ingested afterwards; what was refused is kept aside.
            for delivery in deliveries:
                delivery.unlink(missing_ok=True)

    def _read_history(self, step: int) -> Iterable[Outcome]:
        yield history.read(self.stage, step=step)
