"""What every version of a table brought, oldest first: each commit replaces one partition."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, ValidationError

from mlops_core.data import storage
from mlops_core.data.delta_log import PARTITION_FILE, SNAPSHOT_DIGEST
from mlops_core.data.documents import PartitionEntry, SnapshotIdentity
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.document import Document
from mlops_core.errors import CorruptedDataError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Publication(Document):
    """One commit: the partition that it put in place, and the snapshot that it made."""

    entry: PartitionEntry
    snapshot: SnapshotIdentity
    at: AwareDatetime


def publications(store: SnapshotStore, name: str) -> tuple[Publication, ...]:
    """Return every publication to a table; none where nothing was published.

    Only the log is read. A file's content is verified by whoever reads it, under the digest named here.

    Raises
    ------
    CorruptedDataError
        If a commit is gone, does not parse, or brought something else than one partition.
    """
    current = store.find_current(name)
    if current is None:
        return ()
    uri = current.table_uri
    return tuple(_publication(uri, version) for version in range(current.version + 1))


def _publication(uri: str, version: int) -> Publication:
    try:
        actions = _actions(storage.read_file(f"{uri}/_delta_log/{version:020}.json").to_pybytes())
        added, commit = actions["add"], actions["commitInfo"]
        file = PARTITION_FILE.fullmatch(added["path"])
        names = {} if file is None else file.groupdict()
        return Publication(
            entry=PartitionEntry(rows=json.loads(added["stats"])["numRecords"], **names),
            snapshot=SnapshotIdentity(table_uri=uri, version=version, digest=commit[SNAPSHOT_DIGEST]),
            at=_EPOCH + timedelta(milliseconds=commit["timestamp"]),
        )
    except (FileNotFoundError, KeyError, TypeError, ValueError, ValidationError) as error:
        raise CorruptedDataError(f"commit {version} of {uri} cannot be read: {error}") from error


def _actions(commit: bytes) -> dict[str, Any]:
    """Return a commit's actions by their kind."""
    actions: dict[str, Any] = {}
    for line in commit.splitlines():
        actions.update(json.loads(line))
    return actions
