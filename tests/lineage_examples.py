"""A toy model's records, written by the library without any fit: jobs, runs, versions, predictions."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pytest
from mlflow import MlflowClient

from mlops_core.data.snapshots import PublishedPartition, SnapshotStore
from mlops_core.predictions import (
    DIGEST_COLUMN,
    KEY_COLUMN,
    SCORE_COLUMN,
    VERSION_COLUMN,
    predictions_table_of,
)
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import VersionRecord
from mlops_core.tracking import tracking_client
from mlops_core.training.environment import CodeVersion, capture_environment
from mlops_core.training.job import SplitIdentity, TrainJob
from mlops_core.training.run import log_job
from registry_examples import Clock, version_record
from toy_models import load

COMMIT = "c0ffee" * 6 + "c0ff"


class Records(NamedTuple):
    """One model's ledger, tables and runs."""

    model: str
    ledger: Ledger
    store: SnapshotStore
    client: MlflowClient

    def publish(self, partition: str, *, content: str | None = None) -> PublishedPartition:
        return self.store.write_partition(self.model, partition, load(content or partition))

    def job(self, *, training: tuple[str, ...], holdout: tuple[str, ...], key: str = "run/train") -> TrainJob:
        """Return a job on the newest snapshot."""
        return TrainJob(
            pipeline=self.model,
            reference="toy_models:BINARY",
            candidate="trees",
            snapshot=self.store.current(self.model),
            split=SplitIdentity(training_partitions=training, holdout_partitions=holdout, digest="split"),
            parameters={"iterations": 5},
            operation_key=key,
            tracking_uri="unused",
            data_uri=self.store.data_uri,
        )

    def run(self, job: TrainJob) -> str:
        """Record a job's run, as the train job does before it fits."""
        experiment = self.client.get_experiment_by_name(self.model)
        experiment_id = experiment.experiment_id if experiment else self.client.create_experiment(self.model)
        run_id: str = self.client.create_run(experiment_id).info.run_id
        environment = capture_environment(Path("/nowhere")).model_copy(
            update={"code": CodeVersion(commit=COMMIT, modified=False)}
        )
        log_job(self.client, run_id, job=job, environment=environment)
        return run_id

    def version(self, number: int, *, run_id: str) -> VersionRecord:
        """Register a version in the ledger alone."""
        return self.ledger.record_version(
            version_record(number, model=self.model, run_id=run_id),
            operation_key=f"{self.model}/register/{number}",
            actor="train",
        )

    def trained(self, number: int, *, training: tuple[str, ...], holdout: tuple[str, ...]) -> VersionRecord:
        return self.version(number, run_id=self.run(self.job(training=training, holdout=holdout)))

    def promote(self, version: VersionRecord) -> None:
        generation = self.ledger.state(self.model).generation
        self.ledger.promote(
            self.model,
            version=version.version,
            expected_generation=generation,
            operation_key=f"{self.model}/promote/{generation}",
            evidence_digest=str(version.evidence_digest),
            actor="ada",
            reason="better",
        )

    def deploy(self, version: VersionRecord) -> None:
        generation = self.ledger.state(self.model).generation
        self.ledger.deploy(
            self.model,
            version=version.version,
            expected_generation=generation,
            operation_key=f"{self.model}/deploy/{generation}",
            actor="ada",
        )

    def score(self, partition: str, *, version: VersionRecord) -> PublishedPartition:
        """Write a table of predictions as batch scoring does."""
        rows = self.store.published(self.model, partition).rows
        table = pa.table(
            {
                KEY_COLUMN: list(range(rows)),
                SCORE_COLUMN: [0.5] * rows,
                VERSION_COLUMN: pa.repeat(pa.scalar(version.version, pa.int64()), rows),
                DIGEST_COLUMN: pa.repeat(version.digest, rows),
            }
        )
        return self.store.write_partition(predictions_table_of(self.model), partition, table)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def records(tmp_path: Path, local_tracking_uri: str, clock: Clock) -> Iterator[Records]:
    """A model of a name of its own that nothing was recorded of yet."""
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock) as ledger:
        yield Records(
            model=f"model_{uuid.uuid4().hex[:12]}",
            ledger=ledger,
            store=SnapshotStore(str(tmp_path / "data")),
            client=tracking_client(local_tracking_uri),
        )
