import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from mlops_core.data import storage
from mlops_core.data.delta_log import DeltaLog
from mlops_core.data.snapshots import PartitionEntry, SnapshotIdentity, SnapshotStore
from mlops_core.errors import (
    CommitConflictError,
    CorruptedDataError,
    DataRejectedError,
    DeclarationError,
    SnapshotMissingError,
)

Month = Callable[..., pa.Table]


def test_a_published_partition_reads_back_as_it_was_loaded(store: SnapshotStore, month: Month) -> None:
    published = store.write_partition("toy", "2013-01", month())

    assert store.read(published.snapshot).equals(month())
    assert (published.rows, published.snapshot.version, published.adopted) == (20, 0, False)
    assert store.current("toy") == published.snapshot


def test_partitions_are_listed_and_read_in_order_of_their_keys(store: SnapshotStore, month: Month) -> None:
    march = store.write_partition("toy", "2013-03", month(3, prefix="c"))
    january = store.write_partition("toy", "2013-01", month(2))

    entries = store.partitions(january.snapshot)
    table = store.read(january.snapshot, columns=["partition", "id"])

    assert entries == (
        PartitionEntry(partition="2013-01", rows=2, digest=january.digest),
        PartitionEntry(partition="2013-03", rows=3, digest=march.digest),
    )
    assert table.column_names == ["partition", "id"]
    assert table["id"].to_pylist() == ["a0", "a1", "c0", "c1", "c2"]
    assert table["partition"].to_pylist() == ["2013-01"] * 2 + ["2013-03"] * 3


def test_publishing_the_same_content_again_adopts_it_without_a_new_version(
    store: SnapshotStore, month: Month
) -> None:
    first = store.write_partition("toy", "2013-01", month())
    again = store.write_partition("toy", "2013-01", month())

    assert again == first.model_copy(update={"adopted": True})
    assert DeltaTable(first.snapshot.table_uri).version() == 0


def test_a_publish_that_is_called_again_after_it_committed_needs_no_staged_file(
    store: SnapshotStore, month: Month
) -> None:
    staged = store.stage("toy", partition="2013-01", table=month())
    first = store.publish("toy", staged)

    assert not storage.exists(staged.uri)
    assert store.publish("toy", staged) == first.model_copy(update={"adopted": True})


def test_how_a_loader_encodes_its_columns_does_not_change_the_digest(
    store: SnapshotStore, month: Month
) -> None:
    whole = month()
    encoded = whole.set_column(2, "carrier", whole["carrier"].dictionary_encode())
    large = whole.set_column(0, "id", whole["id"].cast(pa.large_string()))
    annotated = whole.replace_schema_metadata({"pandas": "{}"})

    tables = (whole, encoded, large, annotated)
    digests = {store.stage("toy", partition="p", table=table).digest for table in tables}

    assert len(digests) == 1


def test_how_a_loader_chunks_its_rows_does_not_change_the_digest(store: SnapshotStore) -> None:
    # More than a page in a row group: what chunks move is where pages end.
    whole = pa.table({"x": [f"{row:030}" for row in range(150_000)]})
    chunked = pa.concat_tables([whole.slice(start, 1001) for start in range(0, 150_000, 1001)])

    digests = {store.stage("toy", partition="p", table=table).digest for table in (whole, chunked)}

    assert len(digests) == 1


def test_replacing_a_partition_leaves_the_others_and_the_old_version(
    store: SnapshotStore, month: Month
) -> None:
    january = store.write_partition("toy", "2013-01", month(5))
    february = store.write_partition("toy", "2013-02", month(6, prefix="b"))
    replaced = store.write_partition("toy", "2013-01", month(4, prefix="z"))

    assert store.read(january.snapshot).equals(month(5))
    assert store.read(february.snapshot).equals(pa.concat_tables([month(5), month(6, prefix="b")]))
    assert store.read(replaced.snapshot).equals(
        pa.concat_tables([month(4, prefix="z"), month(6, prefix="b")])
    )
    assert replaced.snapshot.version == 2


def test_the_digest_of_a_snapshot_depends_on_its_content_alone(tmp_path: Path, month: Month) -> None:
    one, other = SnapshotStore(str(tmp_path / "one")), SnapshotStore(str(tmp_path / "other"))
    one.write_partition("toy", "2013-01", month(5))
    one.write_partition("toy", "2013-02", month(6))
    other.write_partition("toy", "2013-02", month(9))
    other.write_partition("toy", "2013-02", month(6))
    other.write_partition("toy", "2013-01", month(5))

    assert one.current("toy").version != other.current("toy").version
    assert one.current("toy").digest == other.current("toy").digest


def test_any_delta_reader_sees_the_same_rows(store: SnapshotStore, month: Month) -> None:
    store.write_partition("toy", "2013-01", month(5))
    identity = store.write_partition("toy", "2013-02", month(6, prefix="b")).snapshot

    table = DeltaTable(identity.table_uri)

    assert table.metadata().partition_columns == ["partition"]
    seen = pa.table(table.to_pyarrow_table()).sort_by([("partition", "ascending")])
    assert seen["id"].to_pylist() == store.read(identity)["id"].to_pylist()


def test_some_partitions_and_columns_are_read_alone(store: SnapshotStore, month: Month) -> None:
    store.write_partition("toy", "2013-01", month(5))
    identity = store.write_partition("toy", "2013-02", month(6, prefix="b")).snapshot

    table = store.read(identity, partitions=["2013-02"], columns=["late", "id"])

    assert table.equals(month(6, prefix="b").select(["late", "id"]))


def test_a_table_beside_the_snapshots_has_its_own_versions(store: SnapshotStore, month: Month) -> None:
    store.write_partition("toy", "2013-01", month(5))
    scored = store.write_partition("toy/predictions", "2013-01", month(2))

    assert scored.pipeline == "toy"
    assert scored.snapshot.version == 0
    assert store.current("toy").table_uri != store.current("toy/predictions").table_uri


def test_asking_for_what_was_never_published_says_what_to_do(store: SnapshotStore, month: Month) -> None:
    with pytest.raises(SnapshotMissingError, match="run its ingest"):
        store.current("toy")
    assert store.find_current("toy") is None

    identity = store.write_partition("toy", "2013-01", month()).snapshot
    with pytest.raises(SnapshotMissingError, match=r"no partition '2013-09'; it has: 2013-01"):
        store.read(identity, partitions=["2013-01", "2013-09"])
    with pytest.raises(SnapshotMissingError, match="none was asked for"):
        store.read(identity, partitions=[])
    with pytest.raises(SnapshotMissingError, match=r"no column 'speed'; it has: id, distance"):
        store.read(identity, columns=["id", "speed"])
    with pytest.raises(SnapshotMissingError, match="no table at"):
        store.read(identity.model_copy(update={"table_uri": store.table_uri("other")}))


def test_an_identity_of_another_table_is_refused(store: SnapshotStore, month: Month) -> None:
    identity = store.write_partition("toy", "2013-01", month(5)).snapshot
    store.write_partition("other", "2013-01", month(6))

    mixed = identity.model_copy(update={"table_uri": store.table_uri("other")})
    with pytest.raises(CorruptedDataError, match="it is another table"):
        store.read(mixed)


def test_partitions_that_differ_in_a_type_are_not_read_together(store: SnapshotStore, month: Month) -> None:
    store.write_partition("toy", "2013-01", month())
    retyped = month().set_column(1, "distance", month()["distance"].cast(pa.string()))
    identity = store.write_partition("toy", "2013-02", retyped).snapshot

    with pytest.raises(DataRejectedError, match=r"differ in 'distance'"):
        store.read(identity)
    assert store.read(identity, columns=["id", "late"]).num_rows == 40
    assert store.read(identity, partitions=["2013-02"]).equals(retyped)


@pytest.mark.parametrize("partition", ["../x", "", ".hidden", "a/b", "a b", "x" * 65, "2013-01\n"])
def test_a_partition_key_that_is_no_folder_name_is_refused(
    store: SnapshotStore, month: Month, partition: str
) -> None:
    with pytest.raises(DeclarationError, match="is no key"):
        store.write_partition("toy", partition, month())


@pytest.mark.parametrize("name", ["../toy", "toy/../x", "toy/a/b", "Toy", "", "toy/"])
def test_a_table_name_that_leads_elsewhere_is_refused(store: SnapshotStore, name: str) -> None:
    with pytest.raises(DeclarationError, match="is no table"):
        store.table_uri(name)


def test_a_key_with_a_colon_is_a_partition(store: SnapshotStore, month: Month) -> None:
    published = store.write_partition("toy", "2013-01-01T00:00", month())

    assert [entry.partition for entry in store.partitions(published.snapshot)] == ["2013-01-01T00:00"]
    assert store.read(published.snapshot).equals(month())


def test_publishers_of_different_partitions_at_once_all_land(store: SnapshotStore, month: Month) -> None:
    # The first commit makes the table, so the race for that is in here too.
    keys = [f"2013-{number:02}" for number in range(1, 9)]
    barrier = threading.Barrier(len(keys))

    def publish(key: str) -> int:
        staged = store.stage("toy", partition=key, table=month(3, prefix=key))
        barrier.wait()
        return store.publish("toy", staged).snapshot.version

    with ThreadPoolExecutor(len(keys)) as pool:
        versions = list(pool.map(publish, keys))

    assert sorted(versions) == list(range(len(keys)))
    identity = store.current("toy")
    assert [entry.partition for entry in store.partitions(identity)] == keys
    assert store.read(identity).num_rows == 3 * len(keys)


def test_two_publishers_of_the_same_content_at_once_make_one_version(
    store: SnapshotStore, month: Month
) -> None:
    barrier = threading.Barrier(4)
    staged = store.stage("toy", partition="2013-01", table=month())

    def publish(_: int) -> bool:
        barrier.wait()
        return store.publish("toy", staged).adopted

    with ThreadPoolExecutor(4) as pool:
        adopted = list(pool.map(publish, range(4)))

    assert sorted(adopted) == [False, True, True, True]
    assert store.current("toy").version == 0


def test_a_commit_on_a_version_that_is_no_longer_the_newest_is_a_conflict(
    store: SnapshotStore, month: Month
) -> None:
    published = store.write_partition("toy", "2013-01", month())
    log = DeltaLog(published.snapshot.table_uri)
    before = log.latest()
    store.write_partition("toy", "2013-02", month())
    late = PartitionEntry(partition="2013-03", rows=1, digest="0" * 64)

    with pytest.raises(CommitConflictError):
        log.commit(late, after=before, schema=month().schema, size_bytes=1)

    assert [entry.partition for entry in store.partitions(store.current("toy"))] == ["2013-01", "2013-02"]


def test_a_publisher_that_others_always_precede_gives_up_for_a_retry(
    store: SnapshotStore, month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = []

    def conflict(*_: object, **__: object) -> None:
        attempts.append(1)
        raise CommitConflictError("another came first")

    monkeypatch.setattr(DeltaLog, "commit", conflict)
    monkeypatch.setattr("mlops_core.data.snapshots._COMMIT_WAIT_SECONDS", 0)
    with pytest.raises(CommitConflictError):
        store.write_partition("toy", "2013-01", month())

    assert len(attempts) == 50


def test_a_commit_by_other_means_is_not_taken_for_a_snapshot(store: SnapshotStore, month: Month) -> None:
    identity = store.write_partition("toy", "2013-01", month()).snapshot
    foreign = month(2).append_column("partition", pa.array(["2013-02"] * 2))
    write_deltalake(identity.table_uri, foreign, mode="append")

    with pytest.raises(CorruptedDataError, match="names the file"):
        store.current("toy")
    with pytest.raises(CorruptedDataError):
        store.write_partition("toy", "2013-03", month())
    assert store.read(identity).equals(month())


def test_a_staged_file_that_changed_is_not_published(store: SnapshotStore, month: Month) -> None:
    staged = store.stage("toy", partition="2013-01", table=month())
    content = bytearray(Path(staged.uri).read_bytes())
    content[len(content) // 2] ^= 1
    Path(staged.uri).write_bytes(content)

    with pytest.raises(CorruptedDataError, match="load the partition again"):
        store.publish("toy", staged)
    with pytest.raises(CorruptedDataError, match="digest"):
        store.read_staged(staged)
    assert store.find_current("toy") is None


def test_a_staged_file_that_is_gone_is_not_published(store: SnapshotStore, month: Month) -> None:
    staged = store.stage("toy", partition="2013-01", table=month())
    Path(staged.uri).unlink()

    with pytest.raises(CorruptedDataError, match="is gone; load the partition again"):
        store.publish("toy", staged)


def test_rows_that_the_file_does_not_have_are_not_published(store: SnapshotStore, month: Month) -> None:
    staged = store.stage("toy", partition="2013-01", table=month())

    with pytest.raises(CorruptedDataError, match="has 20 rows, staged as 21"):
        store.publish("toy", staged.model_copy(update={"rows": 21}))


def test_publishing_again_heals_a_damaged_file(store: SnapshotStore, month: Month) -> None:
    published = store.write_partition("toy", "2013-01", month())
    stored = Path(published.snapshot.table_uri, "partition=2013-01", f"{published.digest}.parquet")
    stored.write_bytes(stored.read_bytes()[:-9])
    with pytest.raises(CorruptedDataError):
        store.read(published.snapshot)

    again = store.write_partition("toy", "2013-01", month())

    assert again.adopted
    assert store.read(published.snapshot).equals(month())


def test_a_snapshot_identity_survives_its_json(store: SnapshotStore, month: Month) -> None:
    identity = store.write_partition("toy", "2013-01", month()).snapshot

    assert SnapshotIdentity.model_validate(identity.model_dump(mode="json")) == identity


def test_a_data_folder_may_be_a_uri(tmp_path: Path, month: Month) -> None:
    store = SnapshotStore(f"{(tmp_path / 'a home').as_uri()}/")

    published = store.write_partition("toy", "2013-01", month())

    assert published.snapshot.table_uri.startswith("file:///")
    assert store.read(published.snapshot).equals(month())


def test_a_relative_data_folder_stays_where_it_was_named(
    tmp_path: Path, month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    published = SnapshotStore("data").write_partition("toy", "2013-01", month())
    monkeypatch.chdir("/")

    assert SnapshotStore(str(tmp_path / "data")).read(published.snapshot).equals(month())
