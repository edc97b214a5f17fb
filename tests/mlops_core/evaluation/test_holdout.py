from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import toy_models
from evaluation_examples import held_out
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import CorruptedDataError, DataRejectedError, EmptySampleError
from mlops_core.evaluation.holdout import HeldOutRows, read_holdout
from mlops_core.training.job import SplitIdentity

PIPELINE = toy_models.BINARY
SPLIT = SplitIdentity(
    training_partitions=("2013-01",), holdout_partitions=("2013-02", "2013-03"), digest="cd" * 32
)


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(str(tmp_path))


def publish(store: SnapshotStore, *, positive: pa.Array | None = None) -> None:
    for partition in toy_models.PARTITIONS:
        table = toy_models.load(partition)
        if positive is not None:
            place = table.schema.get_field_index("positive")
            table = table.set_column(place, "positive", positive)
        store.write_partition(PIPELINE.name, partition, table)


def read(store: SnapshotStore) -> HeldOutRows:
    return read_holdout(PIPELINE, snapshot=store.current(PIPELINE.name), split=SPLIT, store=store)


def test_the_held_out_partitions_alone_are_read_and_rows_without_a_target_dropped(
    store: SnapshotStore,
) -> None:
    publish(store)
    tables = [toy_models.load(partition) for partition in SPLIT.holdout_partitions]
    known = [value for table in tables for value in table["positive"].to_pylist() if value is not None]

    rows = read(store)

    assert rows.truth.tolist() == known
    assert rows.truth.dtype == bool
    assert rows.dropped == 2 * toy_models.ROWS - len(known) > 0
    assert {key[:7] for key in rows.features["id"]} == set(SPLIT.holdout_partitions)


def test_a_model_is_never_given_the_target(store: SnapshotStore) -> None:
    publish(store)

    assert "positive" not in read(store).features.columns


def test_the_same_rows_have_the_same_digest(store: SnapshotStore) -> None:
    publish(store)

    assert read(store).digest() == read(store).digest()


def test_rows_without_any_target_are_refused_and_the_way_out_is_named(store: SnapshotStore) -> None:
    publish(store, positive=pa.nulls(toy_models.ROWS, pa.bool_()))

    with pytest.raises(
        EmptySampleError, match=r"none of the 400 held-out rows of 2013-02, 2013-03 .*wait for the labels"
    ):
        read(store)


def test_a_snapshot_without_the_target_is_refused(store: SnapshotStore) -> None:
    for partition in toy_models.PARTITIONS:
        store.write_partition(PIPELINE.name, partition, toy_models.load(partition).drop_columns("positive"))

    with pytest.raises(DataRejectedError, match="lack the target 'positive'; their columns are id, amount"):
        read(store)


def test_held_out_rows_that_were_changed_on_disk_are_refused(store: SnapshotStore, tmp_path: Path) -> None:
    publish(store)
    file = next(path for path in tmp_path.rglob("*.parquet") if "2013-03" in str(path))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)

    with pytest.raises(CorruptedDataError):
        read(store)


ROWS = {"number": [1.5, np.nan, 3.0], "text": ["a", None, "c"]}


@pytest.mark.parametrize(
    "other",
    [
        held_out([0, 1, 1], **ROWS),
        held_out([0, 1, 0], number=[1.5, np.nan, 3.0001], text=["a", None, "c"]),
        held_out([0, 1, 0], number=[1.5, 0.0, 3.0], text=["a", None, "c"]),
        held_out([0, 1, 0], number=[1.5, np.nan, 3.0], text=["a", "", "c"]),
        held_out([0, 1, 0], renamed=[1.5, np.nan, 3.0], text=["a", None, "c"]),
        held_out([0, 1], number=[1.5, np.nan], text=["a", None]),
        held_out([0, 0, 1], number=[1.5, 3.0, np.nan], text=["a", "c", None]),
    ],
    ids=["target", "value", "gap filled", "text", "name", "row lost", "order"],
)
def test_any_change_of_the_rows_changes_their_digest(other: HeldOutRows) -> None:
    assert other.digest() != held_out([0, 1, 0], **ROWS).digest()


def test_columns_of_lists_can_be_digested() -> None:
    one, other = (held_out([0, 1], vector=[[1, 2], [3, last]]) for last in (4, 5))

    assert one.digest() != other.digest()
