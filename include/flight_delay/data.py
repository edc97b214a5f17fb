"""Flights from New York: what is known when a flight is scheduled, and whether it arrived late.

Nothing that is measured after departure may be a feature (``dep_time``, ``dep_delay``, ``arr_time``,
``arr_delay``, ``air_time``), and the weather is that of the scheduled hour of departure. ``arr_delay`` makes
the target alone.

A delivery that lacks a column, or holds another type in it, still loads: what cannot be derived is left out
or passed on as it came, and the expectations name it.
"""

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from flight_delay.columns import FEATURES, KEY, SCHEDULE_TEXTS, TARGET, WEATHER
from flight_delay.deliveries import read_delivery, read_planes, read_weather, split_month
from mlops_core.errors import DataRejectedError

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation

__all__ = ["FEATURES", "KEY", "TARGET", "expectations", "load_flights", "load_labels"]

_LATE_AFTER_MINUTES = 15
_PASSED_ON = {
    "carrier": "carrier",
    "origin": "origin",
    "dest": "dest",
    "distance": "distance_miles",
    "hour": "departure_hour",
    "minute": "departure_minute",
}
_SAME_MANUFACTURER = {
    "AIRBUS INDUSTRIE": "AIRBUS",
    "MCDONNELL DOUGLAS AIRCRAFT CO": "MCDONNELL DOUGLAS",
    "MCDONNELL DOUGLAS CORPORATION": "MCDONNELL DOUGLAS",
}
_MINUTES_A_DAY = 24 * 60


def load_flights(partition: str) -> pa.Table:
    """Return the flights scheduled in a month: key, date, features and target, a row a flight.

    The target is null for a flight without an arrival: it was cancelled or diverted, or has not landed yet.
    """
    year, _ = split_month(partition)
    raw = _typed(read_delivery(partition))
    if raw.num_rows == 0:
        return raw
    identity = _identity(raw)
    columns = {
        **identity,
        **_schedule(raw, date=identity.get("scheduled_date")),
        **_aircraft(raw, year=year),
        **_weather(raw),
        **_target(raw),
    }
    order = [name for name in (KEY, "scheduled_date", *FEATURES, TARGET) if name in columns]
    return pa.table({name: columns[name] for name in order})


def load_labels(partition: str) -> pa.Table:
    """Return key and target of the month's flights whose arrival is known.

    Raises
    ------
    DataRejectedError
        If the delivery lacks a column that the label or the key is made of, or holds text in it.
    """
    raw = _typed(read_delivery(partition))
    columns = {**_identity(raw), **_target(raw)}
    parts = ("year", "month", "day", "carrier", "flight", "origin", "arr_delay")
    lacking = sorted(set(parts) - set(raw.column_names))
    if lacking or KEY not in columns or not pa.types.is_integer(columns[TARGET].type):
        problem = f"lacks {', '.join(lacking)}" if lacking else f"holds text in one of {', '.join(parts)}"
        raise DataRejectedError(f"the delivery of {partition} {problem}, so no labels can be made of it")
    labels = pa.table({KEY: columns[KEY], TARGET: columns[TARGET]})
    return labels.filter(pc.and_(pc.is_valid(labels[KEY]), pc.is_valid(labels[TARGET])))


def expectations(partition: str | None = None) -> "list[Expectation]":
    """Return what a month must be like; without a month, what every month must be like."""
    # Great Expectations takes seconds to import, and loading needs none of it.
    from flight_delay.suite import expectations_of_month

    return expectations_of_month(partition)


def _typed(raw: pa.Table) -> pa.Table:
    """Give a column without any value the type that it has in other months."""
    repeated = sorted({name for name in raw.column_names if raw.column_names.count(name) > 1})
    if repeated:
        raise DataRejectedError(f"the delivery has columns more than once: {', '.join(repeated)}")
    fields = [
        field.with_type(pa.string() if field.name in SCHEDULE_TEXTS else pa.int64())
        if pa.types.is_null(field.type)
        else field
        for field in raw.schema
    ]
    return raw.cast(pa.schema(fields))


def _identity(raw: pa.Table) -> dict[str, pa.ChunkedArray]:
    if not _has_integers(raw, "year", "month", "day"):
        return {}
    year, month, day = (raw[name].cast(pa.string()) for name in ("year", "month", "day"))
    padded = (pc.utf8_lpad(part, 2, "0") for part in (month, day))
    date = pc.binary_join_element_wise(year, *padded, "-")
    if not _has(raw, "carrier", "flight", "origin"):
        return {"scheduled_date": date}
    flight = (raw[name].cast(pa.string()) for name in ("carrier", "flight", "origin"))
    return {KEY: pc.binary_join_element_wise(date, *flight, "-"), "scheduled_date": date}


def _schedule(raw: pa.Table, *, date: pa.ChunkedArray | None) -> dict[str, pa.ChunkedArray]:
    columns = {feature: raw[name] for name, feature in _PASSED_ON.items() if _has(raw, name)}
    if date is not None:
        day = pc.strptime(date, format="%Y-%m-%d", unit="s", error_is_null=True)
        columns["day_of_week"] = pc.day_of_week(day, count_from_zero=False)
    if not _has_integers(raw, "sched_arr_time"):
        return columns
    arrival = raw["sched_arr_time"]
    hour = pc.divide(arrival, 100)
    minute = pc.subtract(arrival, pc.multiply(hour, 100))
    columns |= {"arrival_hour": hour, "arrival_minute": minute}
    if _has_integers(raw, "hour", "minute"):
        departure = pc.add(pc.multiply(raw["hour"], 60), raw["minute"])
        minutes = pc.subtract(pc.add(pc.multiply(hour, 60), minute), departure)
        # Local clocks: a flight that lands after midnight has the smaller arrival time.
        columns["scheduled_clock_minutes"] = pc.if_else(
            pc.less(minutes, 0), pc.add(minutes, _MINUTES_A_DAY), minutes
        )
    return columns


def _aircraft(raw: pa.Table, *, year: int) -> dict[str, pa.ChunkedArray]:
    if not _has(raw, "tailnum"):
        return {}
    planes = read_planes()
    # A tail number that the register does not know gives nulls.
    plane = planes.take(pc.index_in(raw["tailnum"], value_set=planes["tailnum"].combine_chunks()))
    manufacturer = plane["manufacturer"]
    for name, same in _SAME_MANUFACTURER.items():
        manufacturer = pc.if_else(pc.equal(manufacturer, name), same, manufacturer)
    numbers = {
        "aircraft_engines": plane["engines"],
        "aircraft_seats": plane["seats"],
        "aircraft_age_years": pc.subtract(year, plane["year"]),
    }
    return {
        "aircraft_type": plane["type"],
        "aircraft_manufacturer": manufacturer,
        "aircraft_engine_type": plane["engine"],
        # Whole numbers with nulls would be integers in one month and floats in another once in pandas.
        **{name: column.cast(pa.float64()) for name, column in numbers.items()},
    }


def _weather(raw: pa.Table) -> dict[str, pa.ChunkedArray]:
    if not _has(raw, "origin", "time_hour"):
        return {}
    weather = read_weather()
    place_and_hour = (
        pc.binary_join_element_wise(table["origin"].cast(pa.string()), table["time_hour"], " ")
        for table in (weather, raw)
    )
    known, wanted = place_and_hour
    observed = weather.take(pc.index_in(wanted, value_set=known.combine_chunks()))
    return {name: observed[name].cast(pa.float64()) for name in WEATHER}


def _target(raw: pa.Table) -> dict[str, pa.ChunkedArray]:
    if not _has(raw, "arr_delay"):
        return {}
    delay = raw["arr_delay"]
    if not (pa.types.is_integer(delay.type) or pa.types.is_floating(delay.type)):
        return {TARGET: delay}
    return {TARGET: pc.greater(delay, _LATE_AFTER_MINUTES).cast(pa.int64())}


def _has(raw: pa.Table, *names: str) -> bool:
    return set(names) <= set(raw.column_names)


def _has_integers(raw: pa.Table, *names: str) -> bool:
    return _has(raw, *names) and all(pa.types.is_integer(raw.schema.field(name).type) for name in names)
