"""Single-bit flips in everything that a table is made of: refused or harmless, never other data."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from mlops_core.data.snapshots import SnapshotIdentity, SnapshotStore
from mlops_core.errors import CorruptedDataError

pytestmark = pytest.mark.slow

Month = Callable[..., pa.Table]
# Odd, so that every bit of a byte is met.
_STRIDE = 97
_CHECKPOINT_STRIDE = 1009


@pytest.fixture
def identities(store: SnapshotStore, month: Month) -> list[SnapshotIdentity]:
    """A table of three versions, the last of which replaces a partition."""
    return [
        store.write_partition("toy", partition, month(rows, prefix=prefix)).snapshot
        for partition, rows, prefix in (("2013-01", 20, "a"), ("2013-02", 9, "b"), ("2013-01", 12, "c"))
    ]


def _flips(path: Path, *, stride: int = _STRIDE) -> Iterator[None]:
    """Flip one bit of the file after another, each time putting the file back."""
    content = path.read_bytes()
    for bit in range(0, 8 * len(content), stride):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        yield
    path.write_bytes(content)


def _files(identity: SnapshotIdentity, pattern: str) -> list[Path]:
    return sorted(Path(identity.table_uri).glob(pattern))


def test_every_flip_in_a_file_of_the_snapshot_is_refused(
    store: SnapshotStore, identities: list[SnapshotIdentity]
) -> None:
    identity = identities[-1]
    flips = 0
    for entry in store.partitions(identity):
        (path,) = _files(identity, f"partition=*/{entry.digest}.parquet")
        for _ in _flips(path):
            flips += 1
            with pytest.raises(CorruptedDataError, match="has digest"):
                store.read(identity)

    assert flips > 200


@pytest.mark.parametrize("with_checkpoint", [False, True], ids=["json", "checkpoint"])
def test_no_flip_in_the_log_gives_other_data(
    store: SnapshotStore, identities: list[SnapshotIdentity], with_checkpoint: bool
) -> None:
    if with_checkpoint:
        DeltaTable(identities[-1].table_uri).create_checkpoint()
    expected = [store.read(identity) for identity in identities]
    pattern = "_delta_log/*checkpoint*" if with_checkpoint else "_delta_log/*.json"
    stride = _CHECKPOINT_STRIDE if with_checkpoint else _STRIDE
    refused = harmless = 0
    for path in _files(identities[-1], pattern):
        for _ in _flips(path, stride=stride):
            try:
                current = store.current("toy")
                assert (current, store.read(current)) == (identities[-1], expected[-1])
                harmless += 1
            except CorruptedDataError:
                refused += 1
            for identity, table in zip(identities, expected, strict=True):
                try:
                    assert store.read(identity).equals(table)
                except CorruptedDataError:
                    refused += 1

    assert refused > 50
    assert harmless > 10


def test_a_log_that_was_cut_off_is_refused(store: SnapshotStore, identities: list[SnapshotIdentity]) -> None:
    last = _files(identities[-1], "_delta_log/*.json")[-1]
    content = last.read_bytes()
    for length in (0, 1, len(content) // 2):
        last.write_bytes(content[:length])
        with pytest.raises(CorruptedDataError):
            store.current("toy")
        with pytest.raises(CorruptedDataError):
            store.read(identities[-1])


def test_a_log_that_lacks_an_old_commit_is_refused(
    store: SnapshotStore, identities: list[SnapshotIdentity]
) -> None:
    _files(identities[-1], "_delta_log/*.json")[0].unlink()

    with pytest.raises(CorruptedDataError):
        store.current("toy")


def test_a_file_of_the_snapshot_that_is_gone_is_refused(
    store: SnapshotStore, identities: list[SnapshotIdentity]
) -> None:
    for path in _files(identities[-1], "partition=2013-02/*.parquet"):
        path.unlink()

    with pytest.raises(CorruptedDataError, match="is gone; restore it or ingest its partition again"):
        store.read(identities[-1])


def test_the_message_of_damage_names_the_file_and_both_digests(
    store: SnapshotStore, identities: list[SnapshotIdentity]
) -> None:
    (path,) = _files(identities[-1], "partition=2013-02/*.parquet")
    path.write_bytes(b"PAR1" + path.read_bytes()[4:-1] + b"?")

    with pytest.raises(CorruptedDataError, match=f"{path.name} has digest .*published as {path.name[:12]}"):
        store.read(identities[-1])
