"""Five months of rows with numbers, and what is made of them."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

import tuning_models
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.evaluation.catalogue import find_metric
from mlops_core.pipeline import HoldoutSplit
from mlops_core.training.job import TrainJob
from mlops_core.training.rows import LabelledRows, labelled_rows
from mlops_core.training.split import holdout_split
from mlops_core.training.tuning.procedure import Procedure

MakeRows = Callable[..., LabelledRows]
MakeJob = Callable[..., TrainJob]


@pytest.fixture
def make_rows() -> MakeRows:
    """Return the rows of some partitions, one after the other."""

    def make(*partitions: str) -> LabelledRows:
        tables = [tuning_models.load(key) for key in partitions]
        keys = [key for key in partitions for _ in range(tuning_models.ROWS)]
        table = pa.concat_tables(tables).append_column("partition", pa.array(keys))
        return labelled_rows(table, pipeline=tuning_models.PIPELINE)

    return make


@pytest.fixture
def rows(make_rows: MakeRows) -> LabelledRows:
    return make_rows(*tuning_models.PARTITIONS[:4])


@pytest.fixture
def procedure() -> Procedure:
    return Procedure(
        fit=tuning_models.fit_constant,
        candidate="searched",
        task=tuning_models.PIPELINE.task,
        metric=find_metric("mae"),
        seed=3,
    )


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[list[float]]:
    """The rows of every fit of the test."""
    monkeypatch.setattr(tuning_models, "fitted_rows", [])
    return tuning_models.fitted_rows


@pytest.fixture(autouse=True)
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_CHECKPOINTS", str(tmp_path / "checkpoints"))


@pytest.fixture(scope="session")
def own_data_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    uri = str(tmp_path_factory.mktemp("constant"))
    store = SnapshotStore(uri)
    for partition in tuning_models.PARTITIONS:
        store.write_partition("constant", partition, tuning_models.load(partition))
    return uri


@pytest.fixture
def job(make_job: MakeJob, own_data_uri: str) -> MakeJob:
    store = SnapshotStore(own_data_uri)
    snapshot = store.current("constant")

    def make(candidate: str, **fields: object) -> TrainJob:
        declared = tuning_models.PIPELINE.candidate(candidate)
        return make_job(
            pipeline="constant",
            reference="tuning_models:PIPELINE",
            candidate=candidate,
            snapshot=snapshot,
            split=holdout_split(store.partitions(snapshot), HoldoutSplit()),
            data_uri=own_data_uri,
            **{
                "parameters": declared.parameters,
                "search": declared.search,
                "cross_validation": declared.cross_validation,
                **fields,
            },
        )

    return make
