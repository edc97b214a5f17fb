"""What a month of flights must be like before it becomes part of a snapshot.

The bounds come from the year 2013: months have 24,951 to 29,425 flights, of 17 to 4,983 miles.
"""

import calendar

import great_expectations.expectations as gxe
from great_expectations.expectations.expectation import Expectation

from flight_delay.columns import AIRCRAFT_TEXTS, KEY, TARGET
from flight_delay.deliveries import split_month

_SCHEDULE_BOUNDS = {
    "distance_miles": (1, 10_000),
    "departure_hour": (0, 23),
    "departure_minute": (0, 59),
    "arrival_hour": (0, 24),
    "arrival_minute": (0, 59),
    "day_of_week": (1, 7),
    "scheduled_clock_minutes": (0, 24 * 60),
}
# Date, carrier, flight number, origin.
_KEY_PATTERN = r"^\d{4}-\d{2}-\d{2}-[0-9A-Z]{2}-\d{1,5}-[A-Z]{3}$"
_TEXT_PATTERNS = {
    "origin": "^(?:EWR|JFK|LGA)$",
    "dest": "^[A-Z]{3}$",
    "carrier": "^[0-9A-Z]{2}$",
    "scheduled_date": r"^\d{4}-\d{2}-\d{2}$",
}
_WEATHER_BOUNDS = {
    "temp": (-40, 130),
    "dewp": (-60, 100),
    "humid": (0, 100),
    "wind_dir": (0, 360),
    "wind_speed": (0, 200),
    "precip": (0, 10),
    "pressure": (900, 1100),
    "visib": (0, 100),
}
_AIRCRAFT_BOUNDS = {
    "aircraft_engines": (1, 8),
    "aircraft_seats": (1, 900),
    "aircraft_age_years": (0, 80),
}


def expectations_of_month(partition: str | None) -> list[Expectation]:
    """Return the expectations of one month; without a month, those that hold for every month."""
    return [*_whole_month(partition), *_schedule(), *_joined(), *_target()]


def _whole_month(partition: str | None) -> list[Expectation]:
    checks: list[Expectation] = [
        gxe.ExpectTableRowCountToBeBetween(min_value=22_000, max_value=33_000),
        gxe.ExpectColumnValuesToNotBeNull(column=KEY),
        gxe.ExpectColumnValuesToBeUnique(column=KEY),
        gxe.ExpectColumnValuesToMatchRegex(column=KEY, regex=_KEY_PATTERN),
    ]
    if partition is not None:
        year, month = split_month(partition)
        days = range(1, calendar.monthrange(year, month)[1] + 1)
        # Every day, and no day of another month.
        dates = [f"{partition}-{day:02}" for day in days]
        checks.append(gxe.ExpectColumnDistinctValuesToEqualSet(column="scheduled_date", value_set=dates))
    return checks


def _schedule() -> list[Expectation]:
    checks: list[Expectation] = []
    for column, pattern in _TEXT_PATTERNS.items():
        checks.append(gxe.ExpectColumnValuesToBeOfType(column=column, type_="str"))
        checks.append(gxe.ExpectColumnValuesToNotBeNull(column=column))
        checks.append(gxe.ExpectColumnValuesToMatchRegex(column=column, regex=pattern))
    for column, (lowest, highest) in _SCHEDULE_BOUNDS.items():
        checks.append(gxe.ExpectColumnValuesToBeOfType(column=column, type_="int64"))
        checks.append(gxe.ExpectColumnValuesToNotBeNull(column=column))
        checks.append(gxe.ExpectColumnValuesToBeBetween(column=column, min_value=lowest, max_value=highest))
    return checks


def _joined() -> list[Expectation]:
    """Return what the weather and the aircraft register must give; odd values there are only warned of."""
    checks: list[Expectation] = [
        # A month whose hours are written in another format would find no weather at all.
        gxe.ExpectColumnValuesToNotBeNull(column="temp", mostly=0.9),
        gxe.ExpectColumnValuesToNotBeNull(column="aircraft_seats", mostly=0.6),
    ]
    checks += [gxe.ExpectColumnValuesToBeOfType(column=column, type_="str") for column in AIRCRAFT_TEXTS]
    for column, (lowest, highest) in {**_WEATHER_BOUNDS, **_AIRCRAFT_BOUNDS}.items():
        checks.append(gxe.ExpectColumnValuesToBeOfType(column=column, type_="float64"))
        checks.append(
            gxe.ExpectColumnValuesToBeBetween(
                column=column, min_value=lowest, max_value=highest, severity="warning"
            )
        )
    return checks


def _target() -> list[Expectation]:
    return [
        gxe.ExpectColumnValuesToBeInTypeList(column=TARGET, type_list=["int64", "float64"]),
        gxe.ExpectColumnValuesToBeInSet(column=TARGET, value_set=[0, 1]),
        gxe.ExpectColumnValuesToNotBeNull(column=TARGET, mostly=0.9, severity="warning"),
        gxe.ExpectColumnMeanToBeBetween(column=TARGET, min_value=0.05, max_value=0.6, severity="warning"),
    ]
