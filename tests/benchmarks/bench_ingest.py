"""Ingest over a bare pyarrow write of the same table: rows a second and peak memory.

Each figure is the median of several fresh processes, which take turns. A process has its libraries imported
when the clock starts, reads the same Arrow file of a million flights, and writes it. Ingest compresses with
zstd, writes page checksums, digests the file, flushes it to the disk and commits it to a Delta Lake table.
The bare write is pyarrow's with its own defaults; a second one has ingest's compression and checksums, to
tell the format's cost from the library's.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

MONTHS = ("2013-01", "2013-02", "2013-03")
COPIES = 13
REPEATS = 5
WAYS = ("bare", "bare, same format", "ingest")
_SOURCE = "flights.arrow"


def load(partition: str) -> pa.Table:
    """Read the Arrow file in the folder that the partition's process works in."""
    with pa.OSFile(f"{partition}.arrow") as file:
        return pa.ipc.open_file(file).read_all()


def unused_fit() -> None:
    """Stand in the declaration for what ingest never calls."""


def write_flights(folder: Path) -> int:
    """Write the Arrow file: months of flights, repeated under keys of their own. Return its rows."""
    from flight_delay.columns import KEY
    from flight_delay.data import load_flights

    months = pa.concat_tables([load_flights(month) for month in MONTHS])
    keys = months[KEY].combine_chunks()
    with pa.OSFile(str(folder / _SOURCE), "wb") as file, pa.ipc.new_file(file, months.schema) as writer:
        for copy in range(COPIES):
            named = pa.compute.binary_join_element_wise(keys, pa.scalar(str(copy)), "-")
            writer.write_table(months.set_column(0, KEY, named))
    return COPIES * int(months.num_rows)


def run_bare(folder: Path, *, same_format: bool) -> None:
    """Write the table as Parquet, and nothing else."""
    options = {"compression": "zstd", "write_page_checksum": True} if same_format else {}
    pq.write_table(load("flights"), folder / "bare.parquet", **options)


def run_ingest(folder: Path) -> None:
    """Take the table into a new snapshot."""
    from mlops_core.data.ingest import load_partition
    from mlops_core.data.snapshots import SnapshotStore
    from mlops_core.evaluation.catalogue import Task
    from mlops_core.pipeline import AbsoluteGate, Candidate, Pipeline

    pipeline = Pipeline(
        name="flights",
        task=Task.BINARY_CLASSIFICATION,
        loader="bench_ingest:load",
        target="arrived_late",
        candidates=(Candidate(name="unused", fit="bench_ingest:unused_fit"),),
        gates=(AbsoluteGate(metric="roc_auc", minimum=0.5),),
    )
    store = SnapshotStore(str(folder / "data"))
    store.publish("flights", load_partition(pipeline, partition="flights", store=store))


class PeakMemory:
    """The most memory that the process held above what it held at first, sampled every millisecond."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self.peak = self._process.memory_info().rss
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def mebibytes(self) -> float:
        """The growth at its peak."""
        return (self.peak - self._before) / 2**20

    def _watch(self) -> None:
        while not self._ended.wait(0.001):
            self.peak = max(self.peak, self._process.memory_info().rss)


def measure_here(way: str) -> None:
    """Run one way in this process, in its working folder, and print seconds and mebibytes as JSON."""
    import deltalake  # noqa: F401  imported before the clock starts, as all else that ingest needs

    import mlops_core.data.ingest  # noqa: F401

    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name, PeakMemory() as memory:
        started = time.perf_counter()
        if way == "ingest":
            run_ingest(Path(name))
        else:
            run_bare(Path(name), same_format=way != "bare")
        seconds = time.perf_counter() - started
    sys.stdout.write(json.dumps({"seconds": seconds, "mebibytes": memory.mebibytes}))


def measure(way: str, *, folder: Path) -> dict[str, float]:
    """Run one way in a fresh process."""
    completed = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), way],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, float] = json.loads(completed.stdout.splitlines()[-1])
    return answer


def main() -> None:
    """Print the table."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write_flights(folder)
        for _ in range(REPEATS):
            for way in WAYS:
                found[way].append(measure(way, folder=folder))
    seconds, memory = (
        {way: statistics.median(each[figure] for each in found[way]) for way in WAYS}
        for figure in ("seconds", "mebibytes")
    )
    table = Table(title=f"Ingest of {rows:,} flights over a bare pyarrow write")
    table.add_column("")
    for heading in ("seconds", "rows a second", "time ratio", "peak memory, MiB", "memory ratio"):
        table.add_column(heading, justify="right")
    for way in WAYS:
        table.add_row(
            way,
            f"{seconds[way]:.2f}",
            f"{rows / seconds[way]:,.0f}",
            f"{seconds[way] / seconds['bare']:.2f}",
            f"{memory[way]:,.0f}",
            f"{memory[way] / memory['bare']:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        measure_here(sys.argv[1])
    else:
        main()
