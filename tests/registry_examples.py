"""Small valid documents of the registry, for tests of every room that needs some."""

import tempfile
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from mlops_core.data.snapshots import SnapshotIdentity
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.report import CandidateEvaluation, EvaluationReport, GateVerdict, Score
from mlops_core.models.directory import model_digest
from mlops_core.models.record import ModelRecord
from mlops_core.policies import Risk
from mlops_core.registry.ledger import Ledger, VersionRecord
from mlops_core.training.job import SplitIdentity

MODEL = "flight_delay"


class Clock:
    """A clock that a test sets; it stands still until told."""

    def __init__(self) -> None:
        self.now = datetime(2013, 7, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


def version_record(number: int, *, model: str = MODEL, **changes: Any) -> VersionRecord:
    fields = {
        "model": model,
        "version": number,
        "digest": f"digest-{number}",
        "uri": f"models:/m-{number}",
        "run_id": f"run-{number}",
        "evidence_digest": f"evidence-{number}",
    }
    return VersionRecord.model_validate({**fields, **changes})


def recorded(ledger: Ledger, *numbers: int, model: str = MODEL) -> tuple[VersionRecord, ...]:
    """Register versions in the ledger alone."""
    return tuple(
        ledger.record_version(
            version_record(number, model=model), operation_key=f"register/{model}/{number}", actor="train"
        )
        for number in numbers
    )


def passed_report(
    stored: ModelRecord, *, pipeline: str = MODEL, generation: int = 0, risk: Risk = "low"
) -> EvaluationReport:
    """Return a report whose one gate passed."""
    return EvaluationReport(
        pipeline=pipeline,
        task=Task.BINARY_CLASSIFICATION,
        snapshot=SnapshotIdentity(
            table_uri="/data/flight_delay", version=5, digest=sha256(b"snapshot").hexdigest()
        ),
        split=SplitIdentity(
            training_partitions=("2013-01",),
            holdout_partitions=("2013-02",),
            digest=sha256(b"split").hexdigest(),
        ),
        holdout_rows=100,
        dropped_rows=0,
        rows_digest=sha256(b"rows").hexdigest(),
        primary_metric="roc_auc",
        challenger=CandidateEvaluation(
            candidate="boosted_trees",
            run_id=stored.run_id,
            model=stored,
            rows_digest=sha256(b"rows").hexdigest(),
            scores=(Score(metric="roc_auc", value=0.8, lower=0.7, upper=0.9),),
        ),
        verdicts=(
            GateVerdict(
                gate="roc_auc >= 0.6",
                metric="roc_auc",
                kind="absolute",
                passed=True,
                value=0.8,
                bound=0.6,
                reason="0.8 reaches 0.6",
            ),
        ),
        generation=generation,
        risk=risk,
        seed=0,
        resamples=500,
        confidence=0.95,
    )


def stored_model(client: MlflowClient, *, name: str = "model") -> ModelRecord:
    """Make a run with a logged model on a real server. Its one file is no model: it is never loaded."""
    experiment = client.get_experiment_by_name(MODEL)
    experiment_id = client.create_experiment(MODEL) if experiment is None else experiment.experiment_id
    run_id = client.create_run(experiment_id).info.run_id
    logged = client.create_logged_model(experiment_id, name=name, source_run_id=run_id)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "MLmodel").write_text(f"model_id: {logged.model_id}\n")
        client.log_model_artifacts(logged.model_id, folder)
        digest = model_digest(Path(folder))
    client.finalize_logged_model(logged.model_id, "READY")
    return ModelRecord(
        run_id=run_id, model_id=logged.model_id, uri=f"models:/{logged.model_id}", digest=digest
    )
