"""The Delta Lake transaction log of one table: which files make up which version.

The log is plain JSON without checksums: a flipped bit may drop a file or move it to another partition and
still parse. So every commit records the digest of the snapshot that it makes, and a reader compares it with
what the log adds up to. That needs the writer to know the version that it makes: delta-rs may not rebase a
commit, and a writer that comes second reads the log again.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, create_table_with_add_actions
from pydantic import ValidationError

from mlops_core.data import storage
from mlops_core.data.documents import PartitionEntry
from mlops_core.data.parquet import PARTITION_COLUMN
from mlops_core.errors import CommitConflictError, CorruptedDataError, SnapshotMissingError

SNAPSHOT_DIGEST = "mlops.snapshot_digest"
PARTITION_FILE = re.compile(r"partition=(?P<partition>[^/]+)/(?P<digest>[0-9a-f]{64})\.parquet")
# Old versions stay readable, and the commit that carries a version's digest stays in the log.
_CONFIGURATION = {"delta.enableExpiredLogCleanup": "false"}


@dataclass(frozen=True, kw_only=True)
class LogState:
    """What one version of the table holds."""

    version: int
    entries: tuple[PartitionEntry, ...]

    @property
    def digest(self) -> str:
        """The snapshot's digest."""
        return snapshot_digest(self.entries)


def snapshot_digest(entries: Sequence[PartitionEntry]) -> str:
    """Return the SHA-256 over the sorted partitions, their rows and their files' digests."""
    content = [[entry.partition, entry.rows, entry.digest] for entry in _sorted(entries)]
    return hashlib.sha256(json.dumps(content, separators=(",", ":")).encode()).hexdigest()


def relative_path(entry: PartitionEntry) -> str:
    """Return where a partition's file lies in the table's folder."""
    return f"partition={entry.partition}/{entry.digest}.parquet"


class DeltaLog:
    """Reads and commits the versions of one table."""

    def __init__(self, table_uri: str) -> None:
        self._uri = table_uri

    def latest(self) -> LogState | None:
        """Return the newest version, or None where there is no table.

        Raises
        ------
        CorruptedDataError
            If the log does not parse, or does not add up to the digest that its last commit recorded.
        """
        try:
            with self._damage_named():
                state = self._state(DeltaTable(self._uri))
                recorded = self._recorded_digest(state.version)
        except SnapshotMissingError:
            return None
        if recorded != state.digest:
            raise CorruptedDataError(
                f"version {state.version} of {self._uri} does not add up to the digest in its log: "
                "the log is damaged, or something else than publish wrote to the table"
            )
        return state

    def at(self, version: int) -> LogState:
        """Return one version. Its digest is for the caller to compare.

        Raises
        ------
        SnapshotMissingError
            If there is no table.
        CorruptedDataError
            If the log does not parse up to that version.
        """
        with self._damage_named():
            return self._state(DeltaTable(self._uri, version=version))

    def commit(
        self, entry: PartitionEntry, *, after: LogState | None, schema: pa.Schema, size_bytes: int
    ) -> LogState:
        """Replace one partition, in one atomic commit that makes the version after ``after``.

        Raises
        ------
        CommitConflictError
            If another writer came first. Nothing was changed.
        """
        others = after.entries if after else ()
        kept = tuple(other for other in others if other.partition != entry.partition)
        state = LogState(version=after.version + 1 if after else 0, entries=_sorted((*kept, entry)))
        action = AddAction(
            path=relative_path(entry),
            size=size_bytes,
            partition_values={PARTITION_COLUMN: entry.partition},
            modification_time=0,
            data_change=True,
            stats=json.dumps({"numRecords": entry.rows}),
        )
        properties = CommitProperties(custom_metadata={SNAPSHOT_DIGEST: state.digest}, max_commit_retries=0)
        table_schema = Schema.from_arrow(schema.append(pa.field(PARTITION_COLUMN, pa.string())))
        if after is None:
            self._create(action, schema=table_schema, properties=properties)
        else:
            self._replace(action, after=after, schema=table_schema, properties=properties)
        return state

    def _create(self, action: AddAction, *, schema: Schema, properties: CommitProperties) -> None:
        try:
            create_table_with_add_actions(
                self._uri,
                schema,
                [action],
                mode="error",
                partition_by=[PARTITION_COLUMN],
                configuration=_CONFIGURATION,
                commit_properties=properties,
            )
        except DeltaError as error:  # also "a table already exists", which has no type of its own
            raise CommitConflictError(str(error)) from error

    def _replace(
        self, action: AddAction, *, after: LogState, schema: Schema, properties: CommitProperties
    ) -> None:
        with self._damage_named():
            table = DeltaTable(self._uri, version=after.version)
        partition = str(action.partition_values[PARTITION_COLUMN])
        try:
            table.create_write_transaction(
                [action],
                "overwrite",
                schema,
                [PARTITION_COLUMN],
                [(PARTITION_COLUMN, "=", partition)],
                commit_properties=properties,
            )
        except CommitFailedError as error:
            raise CommitConflictError(str(error)) from error

    def _recorded_digest(self, version: int) -> object:
        # DeltaTable.history reads the newest commit, which may be newer than the version that was loaded.
        commit = storage.read_file(f"{self._uri}/_delta_log/{version:020}.json")
        for line in commit.to_pybytes().splitlines():
            action = json.loads(line)
            if "commitInfo" in action:
                return action["commitInfo"].get(SNAPSHOT_DIGEST)
        return None

    def _state(self, table: DeltaTable) -> LogState:
        actions = pa.table(table.get_add_actions()).to_pylist()
        entries = _sorted([self._entry(action) for action in actions])
        keys = [entry.partition for entry in entries]
        if len(set(keys)) < len(keys):
            raise CorruptedDataError(f"version {table.version()} of {self._uri} holds a partition twice")
        return LogState(version=table.version(), entries=entries)

    def _entry(self, action: dict[str, object]) -> PartitionEntry:
        match = PARTITION_FILE.fullmatch(str(action["path"]))
        values = action["partition"]
        partition = values.get(PARTITION_COLUMN) if isinstance(values, dict) else None
        if match is None or match["partition"] != partition:
            raise CorruptedDataError(
                f"the log of {self._uri} names the file {action['path']!r} for partition {partition!r}"
            )
        try:
            return PartitionEntry.model_validate(
                {"partition": partition, "rows": action["num_records"], "digest": match["digest"]}
            )
        except ValidationError as error:
            raise CorruptedDataError(f"the log of {self._uri} describes {partition!r} wrongly") from error

    @contextlib.contextmanager
    def _damage_named(self) -> Iterator[None]:
        """Turn delta-rs's many errors into two: there is no table, or its log is damaged."""
        try:
            yield
        except FileNotFoundError as error:
            raise CorruptedDataError(f"the log of {self._uri} lacks a commit: {error}") from error
        except (CorruptedDataError, OSError):
            raise
        except TableNotFoundError as error:
            raise SnapshotMissingError(f"no table at {self._uri}; ingest a partition first") from error
        except BaseException as error:
            # A damaged checkpoint makes delta-rs panic, which is no Exception and has no importable type.
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            # An unreachable store raises OSError here, which may be tried again; damage may not.
            storage.exists(self._uri)
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CorruptedDataError(f"the log of {self._uri} cannot be read: {reason[:300]}") from error


def _sorted(entries: Sequence[PartitionEntry]) -> tuple[PartitionEntry, ...]:
    return tuple(sorted(entries, key=lambda entry: entry.partition))
