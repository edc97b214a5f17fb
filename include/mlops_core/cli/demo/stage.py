"""What every step of the story works with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import httpx

from mlops_core.cli.airflow_api import AirflowClient, DagRun
from mlops_core.cli.demo.conductor import Conductor
from mlops_core.cli.demo.outcome import Measured
from mlops_core.cli.embedded.home import Home
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import StoryError
from mlops_core.evaluation.evaluate import read_report
from mlops_core.evaluation.report import EvaluationReport, Score
from mlops_core.registry.ledger import Ledger
from mlops_core.serving.client import ModelServer
from mlops_core.serving.protocol import PredictionAnswer
from mlops_core.settings import Settings
from mlops_core.tracking import tracking_client

_ANSWER_WITHIN_S = 10.0


@dataclass(frozen=True)
class Stage:
    """One model on a running platform, seen through the API, the model server and the stores."""

    model: str
    home: Home
    settings: Settings
    api: AirflowClient
    conductor: Conductor

    def dag(self, stage: str) -> str:
        """Return the id of one of the model's DAGs."""
        return f"{self.model}__{stage}"

    def unpause(self, *stages: str) -> None:
        """Let the model's DAGs run; Airflow makes them paused."""
        for stage in stages:
            self.api.set_paused(self.dag(stage), paused=False)

    def ingest(self, partitions: Sequence[str]) -> tuple[DagRun, ...]:
        """Ingest partitions, a run each, and return the runs as they ended."""
        runs = [self.api.trigger(self.dag("ingest"), partition_key=partition) for partition in partitions]
        return self.conductor.finish(runs)

    def report(self, run: DagRun) -> EvaluationReport:
        """Return the evaluation report of a training run, read from MLflow by its digest."""
        evaluation = self.api.xcom(run, "evaluate")
        return read_report(
            tracking_client(self.settings.tracking_uri), evaluation["run_id"], digest=evaluation["digest"]
        )

    def version_in_production(self) -> int | None:
        """Return the number of the version that the ledger says is in production."""
        champion = self.ledger.state(self.model).champion
        return None if champion is None else champion.version

    def can_roll_back(self) -> bool:
        """Tell whether a version lies beneath the one in production."""
        kinds = [transition.kind for transition in self.ledger.history(self.model)]
        return kinds.count("promote") - kinds.count("roll_back") > 1

    def ask_model_server(self) -> PredictionAnswer:
        """Send the model server the record that it names as an example, and return its answer.

        Raises
        ------
        StoryError
            If it does not serve the model.
        """
        url = self.settings.model_server_url
        served = httpx.get(f"{url}/models", trust_env=False, timeout=_ANSWER_WITHIN_S).raise_for_status()
        examples = [found["example"] for found in served.json() if found["model"] == self.model]
        if not examples:
            raise StoryError(f"the model server at {url} serves no {self.model}; see {url}/ready")
        with ModelServer(url) as server:
            return server.predict(self.model, examples)

    @cached_property
    def snapshots(self) -> SnapshotStore:
        """The model's data."""
        return SnapshotStore(self.settings.data_uri)

    @cached_property
    def ledger(self) -> Ledger:
        """The record of what is in production."""
        return Ledger(self.settings.ledger_url)


def measured(score: Score | None) -> Measured | None:
    """Return a score as the summary shows it."""
    if score is None:
        return None
    return Measured(name=score.metric, value=score.value, lower=score.lower, upper=score.upper)
