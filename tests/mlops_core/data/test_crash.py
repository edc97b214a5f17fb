"""A publisher that is killed with SIGKILL anywhere, and the retry after it."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from mlops_core.data.snapshots import SnapshotStore

_PUBLISHER = """
import os, signal, sys
from pathlib import Path
import pyarrow.ipc
from mlops_core.data import snapshots, storage
from mlops_core.data.delta_log import DeltaLog

def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def killed_after(function):
    def call(*positional, **named):
        function(*positional, **named)
        kill()
    return call

data_uri, moment, table = sys.argv[1:]
match moment:
    case "while staging":
        storage._flush_to_disk = kill
    case "between staging and moving":
        snapshots._put_in_place = kill
    case "between moving and committing":
        DeltaLog.commit = kill
    case "after committing":
        DeltaLog.commit = killed_after(DeltaLog.commit)
store = snapshots.SnapshotStore(data_uri)
with pyarrow.ipc.open_file(table) as reader:
    store.write_partition("toy", "2013-02", reader.read_all())
"""


@pytest.mark.parametrize(
    "moment",
    [
        "while staging",
        "between staging and moving",
        "between moving and committing",
        "after committing",
    ],
)
def test_a_retry_after_sigkill_makes_one_version(
    store: SnapshotStore, tmp_path: Path, month: Callable[..., pa.Table], moment: str
) -> None:
    before = store.write_partition("toy", "2013-01", month()).snapshot
    february = month(8, prefix="b")
    with pa.ipc.new_file(tmp_path / "table.arrow", february.schema) as writer:
        writer.write_table(february)
    data_uri = before.table_uri.removesuffix("/tables/toy/snapshot")

    killed = subprocess.run(
        [sys.executable, "-c", _PUBLISHER, data_uri, moment, str(tmp_path / "table.arrow")],
        check=False,
        capture_output=True,
        timeout=120,
    )

    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    landed = moment == "after committing"
    assert store.current("toy").version == (1 if landed else 0)
    if not landed:
        assert store.read(store.current("toy")).equals(month())

    retried = store.write_partition("toy", "2013-02", february)

    assert retried.adopted is landed
    assert DeltaTable(before.table_uri).version() == 1
    assert store.read(retried.snapshot, partitions=["2013-02"]).equals(february)
