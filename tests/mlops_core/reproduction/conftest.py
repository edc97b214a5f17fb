"""Versions that a process of its own has fitted, on a real MLflow server."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.pipeline import HoldoutSplit
from mlops_core.registry.records import VersionRecord
from mlops_core.reproduction.report import ReproductionReport
from mlops_core.reproduction.reproduce import reproduce
from mlops_core.tracking import tracking_client
from mlops_core.training.job import TrainJob, TrainResult
from mlops_core.training.split import holdout_split
from servers import MlflowServer
from signing_keys import signed

MakeVersion = Callable[..., VersionRecord]
Reproduce = Callable[..., ReproductionReport]


@pytest.fixture
def client(mlflow_server: MlflowServer) -> MlflowClient:
    return tracking_client(mlflow_server.uri)


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(str(tmp_path / "data"))


@pytest.fixture
def fit_version(store: SnapshotStore, mlflow_server: MlflowServer, tmp_path: Path) -> MakeVersion:
    """Fit a job of a snapshot in a process of its own, and return the version that it becomes."""

    def fit(pipeline: str, *, reference: str, **fields: object) -> VersionRecord:
        snapshot = store.current(pipeline)
        job = TrainJob.model_validate(
            {
                "pipeline": pipeline,
                "reference": reference,
                "snapshot": snapshot,
                "split": holdout_split(store.partitions(snapshot), HoldoutSplit()),
                "seed": 3,
                "operation_key": f"{tmp_path.name}/train",
                "tracking_uri": mlflow_server.uri,
                "data_uri": store.data_uri,
                **fields,
            }
        )
        # Whatever the machine, so that a second fit that took its own number of threads would show.
        variables = {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1"}
        result = _in_a_process(job, folder=tmp_path / "first", variables=variables)
        return signed(
            VersionRecord(
                model=pipeline,
                version=1,
                digest=result.model.digest,
                uri=result.model.uri,
                run_id=result.run_id,
                evidence_digest=None,
            )
        )

    return fit


@pytest.fixture
def again(store: SnapshotStore, mlflow_server: MlflowServer, tmp_path: Path) -> Reproduce:
    """Reproduce a version under the test's own operation key."""

    def call(version: VersionRecord, **options: object) -> ReproductionReport:
        return reproduce(
            version,
            **{
                "tracking_uri": mlflow_server.uri,
                "data_uri": store.data_uri,
                "operation_key": f"{tmp_path.name}/reproduce",
                "cache": tmp_path / "environments",
                **options,
            },
        )

    return call


def _in_a_process(job: TrainJob, *, folder: Path, variables: Mapping[str, str]) -> TrainResult:
    folder.mkdir()
    (folder / "job.json").write_text(job.model_dump_json())
    files = ["--job", str(folder / "job.json"), "--result", str(folder / "result.json")]
    ended = subprocess.run(
        [sys.executable, "-m", "mlops_core.training", *files],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return TrainResult.model_validate_json((folder / "result.json").read_text())
