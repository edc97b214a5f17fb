"""What is particular to the demo's model: its months, and how a delivery of flights goes wrong."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import csv as arrow_csv

from mlops_core.atomic import write_atomically
from mlops_core.references import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "flight_delay"
HISTORY = ("2013-01", "2013-02", "2013-03", "2013-04", "2013-05", "2013-06")
NEW_MONTH = "2013-07"
POISONED = {
    "2013-08": "a renamed column",
    "2013-09": "impossible values",
    "2013-10": "a month cut in half",
}

_READ_DELIVERY = "flight_delay.deliveries:read_delivery"
_ABSURD_SHARE = 50


def deliver_poison(landing: Path) -> tuple[Path, ...]:
    """Write the poisoned months where deliveries of flights arrive, and return the files."""
    read: Callable[[str], pa.Table] = resolve(_READ_DELIVERY)
    folder = landing / MODEL
    folder.mkdir(parents=True, exist_ok=True)
    poisons = (_renamed_column, _impossible_values, _cut_in_half)
    return tuple(
        _write(folder / f"{partition}.csv", poison(read(partition)))
        for partition, poison in zip(POISONED, poisons, strict=True)
    )


def _renamed_column(flights: pa.Table) -> bytes:
    names = {"sched_arr_time": "scheduled_arrival"}
    return _as_csv(flights.rename_columns([names.get(name, name) for name in flights.column_names]))


def _impossible_values(flights: pa.Table) -> bytes:
    """Give every fiftieth flight a negative distance, and a departure in the hour 99."""
    rows = list(csv.reader(io.StringIO(_as_csv(flights).decode())))
    distance, departure = rows[0].index("distance"), rows[0].index("hour")
    for row in rows[1::_ABSURD_SHARE]:
        row[distance], row[departure] = f"-{row[distance]}", "99"
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _cut_in_half(flights: pa.Table) -> bytes:
    """Lose the second half of the file, as a broken transfer does: in the middle of a line."""
    content = _as_csv(flights)
    return content[: len(content) // 2]


def _as_csv(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    arrow_csv.write_csv(table, sink)
    return bytes(sink.getvalue())


def _write(path: Path, content: bytes) -> Path:
    """Write a delivery whole: a loader that looks meanwhile must not see a part of it."""
    write_atomically(path, content)
    return path
