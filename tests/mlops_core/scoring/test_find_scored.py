"""A partition that was scored before is found again."""

from pathlib import Path

import pyarrow as pa
import pytest

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DataRejectedError, RegistryMismatchError, SnapshotMissingError
from mlops_core.predictions import VERSION_COLUMN
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import VersionRecord
from mlops_core.scoring.batch import find_scored, predictions_table
from toy_models import BINARY, ROWS, load

PARTITION = "2013-01"


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    store = SnapshotStore(str(tmp_path / "data"))
    store.write_partition(BINARY.name, PARTITION, load(PARTITION))
    return store


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    record = VersionRecord(model=BINARY.name, version=1, digest="d", uri="models:/m-1", run_id="r")
    ledger.record_version(record, operation_key="one", actor="ada")
    return ledger


def predict(store: SnapshotStore, *, version: int, rows: int = ROWS) -> None:
    store.write_partition(predictions_table(BINARY), PARTITION, pa.table({VERSION_COLUMN: [version] * rows}))


def test_it_names_rows_predictions_and_the_version_that_made_them(
    store: SnapshotStore, ledger: Ledger
) -> None:
    predict(store, version=1)
    scored = find_scored(BINARY, partition=PARTITION, store=store, ledger=ledger)
    assert scored.version.version == 1
    assert scored.source == store.published(BINARY.name, PARTITION)
    assert scored.predictions == store.published(predictions_table(BINARY), PARTITION)
    assert scored.rows == ROWS


def test_a_partition_that_was_never_scored_is_missing(store: SnapshotStore, ledger: Ledger) -> None:
    with pytest.raises(SnapshotMissingError):
        find_scored(BINARY, partition=PARTITION, store=store, ledger=ledger)


def test_predictions_of_other_rows_are_refused(store: SnapshotStore, ledger: Ledger) -> None:
    predict(store, version=1, rows=ROWS - 1)
    with pytest.raises(DataRejectedError, match="score it again"):
        find_scored(BINARY, partition=PARTITION, store=store, ledger=ledger)


def test_a_version_that_the_ledger_does_not_know_is_refused(store: SnapshotStore, ledger: Ledger) -> None:
    predict(store, version=9)
    with pytest.raises(RegistryMismatchError, match="version 9"):
        find_scored(BINARY, partition=PARTITION, store=store, ledger=ledger)
