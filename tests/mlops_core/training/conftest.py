"""A snapshot of three toy months, and jobs on it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

import toy_models
from mlops_core.data.snapshots import SnapshotIdentity, SnapshotStore
from mlops_core.pipeline import HoldoutSplit
from mlops_core.tracking import tracking_client
from mlops_core.training.job import SplitIdentity, TrainJob
from mlops_core.training.split import holdout_split

MakeJob = Callable[..., TrainJob]


@pytest.fixture(scope="session")
def data_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("data")
    # A container that fits is another user.
    folder.chmod(0o755)
    uri = str(folder)
    store = SnapshotStore(uri)
    for partition in toy_models.PARTITIONS:
        store.write_partition("toy_binary", partition, toy_models.load(partition))
    return uri


@pytest.fixture
def store(data_uri: str) -> SnapshotStore:
    return SnapshotStore(data_uri)


@pytest.fixture
def snapshot(store: SnapshotStore) -> SnapshotIdentity:
    return store.current("toy_binary")


@pytest.fixture
def split(store: SnapshotStore, snapshot: SnapshotIdentity) -> SplitIdentity:
    return holdout_split(store.partitions(snapshot), HoldoutSplit())


@pytest.fixture
def client(local_tracking_uri: str) -> MlflowClient:
    return tracking_client(local_tracking_uri)


@pytest.fixture
def make_job(
    snapshot: SnapshotIdentity,
    split: SplitIdentity,
    local_tracking_uri: str,
    data_uri: str,
    tmp_path: Path,
) -> MakeJob:
    """Make a job of the test's own operation key; fields may be given."""

    def make(**fields: object) -> TrainJob:
        values = {
            "pipeline": "toy_binary",
            "reference": "toy_models:BINARY",
            "candidate": "trees",
            "snapshot": snapshot,
            "split": split,
            "parameters": {"iterations": 5},
            "seed": 3,
            "operation_key": f"{tmp_path.name}/train",
            "tracking_uri": local_tracking_uri,
            "data_uri": data_uri,
        }
        return TrainJob.model_validate({**values, **fields})

    return make
