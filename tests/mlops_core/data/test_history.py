"""What every version of a table brought."""

from pathlib import Path

import pytest

from mlops_core.data.history import publications
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import CorruptedDataError
from toy_models import load


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(str(tmp_path / "data"))


def test_every_publication_is_told_in_order_with_the_snapshot_it_made(store: SnapshotStore) -> None:
    published = [
        store.write_partition("toy", key, load(rows))
        for key, rows in (("2013-01", "a"), ("2013-02", "b"), ("2013-01", "c"))
    ]

    told = publications(store, "toy")

    assert [one.snapshot for one in told] == [one.snapshot for one in published]
    assert [(one.entry.partition, one.entry.rows, one.entry.digest) for one in told] == [
        (one.partition, one.rows, one.digest) for one in published
    ]
    assert [one.at for one in told] == sorted(one.at for one in told)


def test_the_same_content_published_again_is_no_second_publication(store: SnapshotStore) -> None:
    for _ in range(2):
        store.write_partition("toy", "2013-01", load("a"))

    assert len(publications(store, "toy")) == 1


def test_a_table_that_was_never_published_to_has_no_history(store: SnapshotStore) -> None:
    assert publications(store, "toy") == ()


@pytest.mark.parametrize(
    "damage",
    [
        lambda commit: commit.unlink(),
        lambda commit: commit.write_text("{"),
        lambda commit: commit.write_text('{"commitInfo": {"timestamp": 0}}'),
        lambda commit: commit.write_text(
            commit.read_text().replace("partition=2013-01/", "partition=2013-01/x")
        ),
    ],
    ids=["gone", "cut", "empty", "other file"],
)
def test_a_damaged_commit_is_refused(store: SnapshotStore, damage: object) -> None:
    for key in ("2013-01", "2013-02"):
        store.write_partition("toy", key, load(key))
    log = Path(store.table_uri("toy")) / "_delta_log"

    damage(log / f"{0:020}.json")  # type: ignore[operator]

    with pytest.raises(CorruptedDataError):
        publications(store, "toy")
