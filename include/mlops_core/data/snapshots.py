"""Snapshots: immutable versions of Delta Lake tables, one Parquet file a partition, every bit checked.

Below the data folder lie ``tables/<pipeline>/snapshot`` (what is trained on), ``tables/<pipeline>/<table>``
(such as predictions), ``staging/`` (loaded, not yet validated) and ``quarantine/`` (refused).
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random

from mlops_core.data import storage
from mlops_core.data.delta_log import DeltaLog, LogState, relative_path
from mlops_core.data.documents import (
    PartitionEntry,
    PublishedPartition,
    SnapshotIdentity,
    StagedPartition,
)
from mlops_core.data.names import checked_partition, split_table_name
from mlops_core.data.parquet import (
    PARTITION_COLUMN,
    canonical,
    open_verified,
    read_columns,
    read_footer,
    write_table,
)
from mlops_core.errors import (
    CommitConflictError,
    CorruptedDataError,
    DataRejectedError,
    SnapshotMissingError,
)

__all__ = ["PartitionEntry", "PublishedPartition", "SnapshotIdentity", "SnapshotStore", "StagedPartition"]

# Writers of other partitions may come first; each attempt is some milliseconds.
_COMMIT_ATTEMPTS = 50
_COMMIT_WAIT_SECONDS = 0.05


class SnapshotStore:
    """The tables under one data folder, which may be a local path or a URI of an object store.

    A table's name is a pipeline's, for its snapshots, or ``<pipeline>/<table>``, for example
    ``flight_delay/predictions``.
    """

    def __init__(self, data_uri: str) -> None:
        is_uri = "://" in data_uri
        self._data_uri = data_uri.rstrip("/") if is_uri else str(Path(data_uri).absolute())

    @property
    def data_uri(self) -> str:
        """The folder that all tables lie under."""
        return self._data_uri

    def table_uri(self, name: str) -> str:
        """Return where a table lies."""
        pipeline, table = split_table_name(name)
        return f"{self._data_uri}/tables/{pipeline}/{table or 'snapshot'}"

    def quarantine_uri(self, staged: StagedPartition) -> str:
        """Return the folder in which a refused partition is kept."""
        return f"{self._data_uri}/quarantine/{staged.pipeline}/{staged.partition}/{staged.digest}"

    def stage(self, name: str, *, partition: str, table: pa.Table) -> StagedPartition:
        """Write a partition beside the tables, where nothing reads it but validation and publishing.

        Raises
        ------
        DataRejectedError
            If it has no rows or no columns, or a column cannot be stored.
        """
        pipeline, _ = split_table_name(name)
        key = checked_partition(partition)
        if table.num_rows == 0 or table.num_columns == 0:
            raise DataRejectedError(
                f"partition {key!r} of {name!r} is empty: {table.num_rows} rows, {table.num_columns} columns"
            )
        folder = f"{self._data_uri}/staging/{name}/{key}"
        uri, digest = write_table(canonical(table), folder=folder)
        return StagedPartition(pipeline=pipeline, partition=key, uri=uri, rows=table.num_rows, digest=digest)

    def read_staged(self, staged: StagedPartition) -> pa.Table:
        """Read a staged partition after comparing its digest."""
        return open_verified(staged.uri, digest=staged.digest).read()

    def publish(self, name: str, staged: StagedPartition) -> PublishedPartition:
        """Replace one partition of a table in one atomic commit.

        It may be ended anywhere and called again: the file is put in its place first, under its digest, where
        nothing reads it; the commit alone makes it part of the table; and content that is there already is
        adopted without a new version. Writers of other partitions are waited for; of two writers of the same
        partition the later commit wins, and both versions stay readable.

        Raises
        ------
        CorruptedDataError
            If the staged file is not what was staged, or the table's log is damaged.
        CommitConflictError
            If other writers came first fifty times in a row; trying again helps.
        """
        uri = self.table_uri(name)
        entry = PartitionEntry(partition=staged.partition, rows=staged.rows, digest=staged.digest)
        target = f"{uri}/{relative_path(entry)}"
        _put_in_place(staged, target=target)
        rows, schema = read_footer(target)
        if rows != staged.rows:
            raise CorruptedDataError(f"{target} has {rows} rows, staged as {staged.rows}")
        log = DeltaLog(uri)
        for attempt in Retrying(
            retry=retry_if_exception_type(CommitConflictError),
            stop=stop_after_attempt(_COMMIT_ATTEMPTS),
            wait=wait_random(0, _COMMIT_WAIT_SECONDS),
            reraise=True,
        ):
            with attempt:
                before = log.latest()
                adopted = before is not None and entry in before.entries
                state = (
                    before
                    if before is not None and adopted
                    else log.commit(entry, after=before, schema=schema, size_bytes=storage.file_size(target))
                )
        return PublishedPartition(
            pipeline=staged.pipeline,
            partition=staged.partition,
            snapshot=_identity(uri, state),
            rows=staged.rows,
            digest=staged.digest,
            adopted=adopted,
        )

    def write_partition(self, name: str, partition: str, table: pa.Table) -> PublishedPartition:
        """Stage and publish in one step what needs no validation, such as predictions."""
        return self.publish(name, self.stage(name, partition=partition, table=table))

    def current(self, name: str) -> SnapshotIdentity:
        """Return the identity of a table's newest version.

        Raises
        ------
        SnapshotMissingError
            If nothing was published yet.
        """
        identity = self.find_current(name)
        if identity is None:
            raise SnapshotMissingError(
                f"nothing was published to {name!r} yet; run its ingest for a partition first"
            )
        return identity

    def find_current(self, name: str) -> SnapshotIdentity | None:
        """Return the identity of a table's newest version, or None if nothing was published yet."""
        uri = self.table_uri(name)
        state = DeltaLog(uri).latest()
        return _identity(uri, state) if state else None

    def partitions(self, identity: SnapshotIdentity) -> tuple[PartitionEntry, ...]:
        """Return the partitions of a snapshot, sorted by key.

        Raises
        ------
        CorruptedDataError
            If the log no longer adds up to the identity's digest.
        """
        state = DeltaLog(identity.table_uri).at(identity.version)
        if state.digest != identity.digest:
            raise CorruptedDataError(
                f"version {identity.version} of {identity.table_uri} has digest {state.digest[:12]}…, "
                f"asked for was {identity.digest[:12]}…: its log is damaged or it is another table"
            )
        return state.entries

    def published(self, name: str, partition: str) -> PublishedPartition:
        """Describe a partition as the newest version of a table holds it.

        Raises
        ------
        SnapshotMissingError
            If it was not published.
        """
        pipeline, _ = split_table_name(name)
        identity = self.current(name)
        entry = self._entries(identity, [partition])[0]
        return PublishedPartition(
            pipeline=pipeline,
            partition=partition,
            snapshot=identity,
            rows=entry.rows,
            digest=entry.digest,
            adopted=True,
        )

    def schema(self, identity: SnapshotIdentity, *, partition: str) -> pa.Schema:
        """Return one partition's Arrow schema, without the partition column."""
        entry = self._entries(identity, [partition])[0]
        return _open(identity, entry).schema_arrow

    def read(
        self,
        identity: SnapshotIdentity,
        *,
        partitions: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Read a snapshot, in order of its partitions and with each partition's rows as they were loaded.

        Parameters
        ----------
        partitions
            Keys; all if None.
        columns
            Names, in the order wanted; if None all that the loader gave. The column ``partition`` with each
            row's key is added only where it is asked for.

        Raises
        ------
        CorruptedDataError
            If a file or the log is not what was published. The bytes that are compared are those parsed.
        SnapshotMissingError
            If a partition or a column is not there.
        DataRejectedError
            If the partitions differ in their columns or types.
        """
        tables = [
            _read_entry(identity, entry, columns=columns) for entry in self._entries(identity, partitions)
        ]
        first = tables[0]
        for table in tables[1:]:
            _check_same_schema(first, table, uri=identity.table_uri)
        return pa.concat_tables([table.replace_schema_metadata(None) for table in tables])

    def _entries(
        self, identity: SnapshotIdentity, partitions: Sequence[str] | None
    ) -> tuple[PartitionEntry, ...]:
        entries = self.partitions(identity)
        if partitions is None:
            return entries
        known = {entry.partition for entry in entries}
        missing = sorted(set(partitions) - known)
        if missing or not partitions:
            asked = ", ".join(map(repr, missing)) or "(none was asked for)"
            raise SnapshotMissingError(
                f"version {identity.version} of {identity.table_uri} has no partition {asked}; "
                f"it has: {', '.join(sorted(known))}"
            )
        return tuple(entry for entry in entries if entry.partition in set(partitions))


def _identity(uri: str, state: LogState) -> SnapshotIdentity:
    return SnapshotIdentity(table_uri=uri, version=state.version, digest=state.digest)


def _put_in_place(staged: StagedPartition, *, target: str) -> None:
    """Move the staged file into the table's folder, unless an earlier call did."""
    if storage.digest_of(target) == staged.digest:
        storage.remove_file(staged.uri)
        return
    found = storage.digest_of(staged.uri)
    if found == staged.digest:
        with contextlib.suppress(FileNotFoundError):
            storage.move_file(staged.uri, target=target)
            return
    # Another call of the same step may have moved it in the meantime.
    if storage.digest_of(target) != staged.digest:
        state = "is gone" if found is None else f"has digest {found[:12]}…, staged as {staged.digest[:12]}…"
        raise CorruptedDataError(f"staged file {staged.uri} {state}; load the partition again")


def _open(identity: SnapshotIdentity, entry: PartitionEntry) -> pq.ParquetFile:
    return open_verified(f"{identity.table_uri}/{relative_path(entry)}", digest=entry.digest)


def _read_entry(
    identity: SnapshotIdentity, entry: PartitionEntry, *, columns: Sequence[str] | None
) -> pa.Table:
    file = _open(identity, entry)
    if file.metadata.num_rows != entry.rows:
        raise CorruptedDataError(
            f"partition {entry.partition!r} of {identity.table_uri} has {file.metadata.num_rows} rows, "
            f"its log says {entry.rows}"
        )
    stored = None if columns is None else [name for name in columns if name != PARTITION_COLUMN]
    address = f"partition {entry.partition!r} of {identity.table_uri}"
    table = read_columns(file, columns=stored, address=address)
    if columns is None or PARTITION_COLUMN not in columns:
        return table
    keys = pa.repeat(pa.scalar(entry.partition), entry.rows)
    return table.append_column(PARTITION_COLUMN, keys).select(list(columns))


def _check_same_schema(first: pa.Table, other: pa.Table, *, uri: str) -> None:
    differing = sorted({field.name for field in set(first.schema) ^ set(other.schema)})
    if differing:
        raise DataRejectedError(
            f"partitions of {uri} differ in {', '.join(map(repr, differing))}; "
            "ingest the older ones again, so that all have the same columns and types"
        )
