import io
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv

from flight_delay.columns import FEATURES, KEY, TARGET, WEATHER
from flight_delay.data import expectations, load_flights, load_labels
from flight_delay.deliveries import delivery_path, read_delivery, read_weather
from flight_delay.pipeline import PIPELINE
from mlops_core.data.expectations import run_expectations
from mlops_core.data.ingest import load_partition, publish_partition
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.data.validation import validate_partition
from mlops_core.errors import DataRejectedError, DeclarationError
from mlops_core.reports import ReportStore

pytestmark = pytest.mark.slow

MONTH = "2013-07"
MEASURED_AFTER_DEPARTURE = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time")
HEADER = (
    "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,"
    "carrier,flight,tailnum,origin,dest,air_time,distance,hour,minute,time_hour"
)

Deliver = Callable[[pa.Table | str | bytes], None]
Change = Callable[[pa.Table], pa.Table | bytes]


@pytest.fixture(scope="module")
def raw() -> pa.Table:
    """The upstream's rows of the month."""
    return read_delivery(MONTH)


@pytest.fixture
def deliver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deliver:
    """Put a delivery of the month into the landing folder of a home of its own."""
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))

    def put(content: pa.Table | str | bytes) -> None:
        path = delivery_path(MONTH)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_bytes(content))

    return put


def _bytes(content: pa.Table | str | bytes) -> bytes:
    if isinstance(content, pa.Table):
        sink = io.BytesIO()
        csv.write_csv(content, sink)
        return sink.getvalue()
    return content.encode() if isinstance(content, str) else content


def _with(table: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def _first_value(table: pa.Table, name: str, value: object) -> pa.Table:
    values = table[name].to_pylist()
    return _with(table, name, pa.array([value, *values[1:]]))


def _failed() -> set[str]:
    """Return the columns, or the expectations of the whole table, that refuse the month."""
    frame = load_flights(MONTH).to_pandas()
    outcomes = [finding.outcome for finding in run_expectations(expectations(MONTH), frame=frame)]
    return {
        outcome.column or outcome.expectation
        for outcome in outcomes
        if outcome.status == "failed" and outcome.severity == "error"
    }


def test_a_real_month_has_every_flight_once_and_meets_every_expectation() -> None:
    flights = load_flights(MONTH)

    assert flights.num_rows == 29_425
    assert flights.column_names == [KEY, "scheduled_date", *FEATURES, TARGET]
    assert len(flights[KEY].unique()) == 29_425
    outcomes = [
        finding.outcome for finding in run_expectations(expectations(MONTH), frame=flights.to_pandas())
    ]
    assert {outcome.status for outcome in outcomes} == {"passed"}


def test_what_is_measured_after_departure_changes_no_feature(raw: pa.Table, deliver: Deliver) -> None:
    known = load_flights(MONTH).drop_columns([TARGET])
    other = raw
    for name in MEASURED_AFTER_DEPARTURE:
        other = _with(other, name, pa.array(np.arange(raw.num_rows) % 997))
    deliver(other)

    assert load_flights(MONTH).drop_columns([TARGET]).equals(known)
    assert not set(MEASURED_AFTER_DEPARTURE) & set(FEATURES)


def test_weather_is_that_of_the_origin_in_the_scheduled_hour(raw: pa.Table) -> None:
    weather = read_weather().to_pandas().set_index(["origin", "time_hour"])
    scheduled = pd.to_datetime(
        raw.select(["year", "month", "day", "hour"]).to_pandas(), utc=False
    ).dt.tz_localize("America/New_York")
    flights = load_flights(MONTH).to_pandas()

    for row in range(0, len(flights), 1471):
        hour = scheduled[row].tz_convert("UTC").strftime("%Y-%m-%dT%H:00:00Z")
        observed = weather.loc[(flights["origin"][row], hour), list(WEATHER)].astype(float)
        pd.testing.assert_series_equal(
            flights.loc[row, list(WEATHER)].astype(float), observed, check_names=False
        )


def test_features_and_target_of_a_flight_are_those_worked_out_by_hand(deliver: Deliver) -> None:
    deliver(
        f"{HEADER}\n"
        # Late by 16 minutes, overnight, an aircraft of 1998 by Airbus under its former name.
        "2013,7,4,2300,2245,15,156,140,16,US,1895,N102UW,EWR,CLT,300,529,22,45,2013-07-05T02:00:00Z\n"
        # 15 minutes are not late; the aircraft is not in the register, the hour not in the weather.
        "2013,7,5,500,500,0,715,700,15,UA,1,N00000,JFK,SFO,300,2586,5,0,1999-01-01T00:00:00Z\n"
        # Cancelled: no arrival, no label.
        "2013,7,6,NA,600,NA,NA,800,NA,AA,300,,LGA,ORD,NA,733,6,0,2013-07-06T10:00:00Z\n"
    )

    first, second, third = load_flights(MONTH).to_pylist()

    assert first[KEY] == "2013-07-04-US-1895-EWR"
    assert first["scheduled_date"] == "2013-07-04"
    assert (first["departure_hour"], first["departure_minute"]) == (22, 45)
    assert (first["arrival_hour"], first["arrival_minute"]) == (1, 40)
    assert first["scheduled_clock_minutes"] == 2 * 60 + 55
    assert first["day_of_week"] == 4
    assert first["distance_miles"] == 529
    assert first["aircraft_manufacturer"] == "AIRBUS"
    assert first["aircraft_age_years"] == 2013 - 1998
    assert first["temp"] is not None
    assert [flight[TARGET] for flight in (first, second, third)] == [1, 0, None]
    assert [second[name] for name in ("aircraft_type", "aircraft_seats", "temp")] == [None] * 3
    assert third["aircraft_age_years"] is None
    assert third["temp"] is not None


def test_labels_are_those_of_flights_that_arrived(raw: pa.Table) -> None:
    labels = load_labels(MONTH)

    assert labels.column_names == [KEY, TARGET]
    assert labels.num_rows == 28_293 == raw.num_rows - raw["arr_delay"].null_count
    flights = load_flights(MONTH)
    arrived = flights.filter(pc.is_valid(flights[TARGET])).select([KEY, TARGET])
    assert labels.equals(arrived)


def test_a_month_whose_arrivals_are_not_known_yet_loads_without_labels(
    raw: pa.Table, deliver: Deliver
) -> None:
    deliver(_with(raw, "arr_delay", pa.nulls(raw.num_rows, pa.int64())))

    flights = load_flights(MONTH)

    assert flights.schema.field(TARGET).type == pa.int64()
    assert flights[TARGET].null_count == raw.num_rows
    assert load_labels(MONTH).num_rows == 0
    assert _failed() == set()


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (lambda raw: raw.drop_columns(["distance"]), {"distance_miles"}),
        (lambda raw: raw.drop_columns(["origin"]), {KEY, "origin", "temp"}),
        (
            lambda raw: raw.rename_columns(
                [{"sched_arr_time": "scheduled_arrival"}.get(name, name) for name in raw.column_names]
            ),
            {"arrival_hour", "arrival_minute", "scheduled_clock_minutes"},
        ),
        (
            lambda raw: _with(
                raw, "distance", pc.binary_join_element_wise(raw["distance"].cast("string"), "mi", "")
            ),
            {"distance_miles"},
        ),
        (lambda raw: _with(raw, "hour", raw["hour"].cast("float64")), set()),
        (lambda raw: _first_value(raw, "minute", 0.5), {"departure_minute", "scheduled_clock_minutes"}),
        (lambda raw: _first_value(raw, "distance", -5), {"distance_miles"}),
        (lambda raw: _first_value(raw, "hour", 27), {"departure_hour"}),
        (lambda raw: _first_value(raw, "month", 8), {"scheduled_date"}),
        (lambda raw: raw.filter(pc.not_equal(raw["day"], 17)), {"scheduled_date"}),
        (
            lambda raw: raw.slice(0, raw.num_rows // 2),
            {"expect_table_row_count_to_be_between", "scheduled_date"},
        ),
        (
            lambda raw: _bytes(raw)[: len(_bytes(raw)) // 2],
            {"expect_table_row_count_to_be_between", "scheduled_date", KEY},
        ),
        (lambda raw: _bytes(raw)[:-40], {KEY, "scheduled_date", "distance_miles"}),
        (lambda raw: pa.concat_tables([raw, raw.slice(0, 1)]), {KEY}),
        (
            lambda raw: _with(raw, "time_hour", pc.utf8_slice_codeunits(raw["time_hour"], 0, 13)),
            {"temp"},
        ),
        (lambda raw: _with(raw, "arr_delay", raw["time_hour"]), {TARGET}),
    ],
    ids=[
        "a column missing",
        "a column of key and weather missing",
        "a column renamed",
        "a column retyped to text",
        "whole numbers written as such again",
        "fractions among whole numbers",
        "a negative distance",
        "an hour 27",
        "a flight of another month",
        "a day missing",
        "half the rows",
        "half the bytes",
        "the last line cut",
        "a flight twice",
        "hours in another format",
        "text for delays",
    ],
)
def test_a_bad_delivery_is_refused_by_the_expectations(
    raw: pa.Table, deliver: Deliver, change: Change, refused: set[str]
) -> None:
    deliver(change(raw))

    failed = _failed()

    assert refused <= failed if refused else not failed


def test_a_delivery_that_lacks_a_column_says_which_of_its_own(
    raw: pa.Table, deliver: Deliver, caplog: pytest.LogCaptureFixture
) -> None:
    deliver(raw.slice(0, 5).drop_columns(["sched_arr_time", "arr_delay", "air_time"]))

    with caplog.at_level(logging.WARNING):
        load_flights(MONTH)
    with pytest.raises(DataRejectedError, match="lacks arr_delay, so no labels"):
        load_labels(MONTH)

    assert "lacks columns arr_delay, sched_arr_time" in caplog.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no CSV file"),
        (b"\x89PNG\r\n\x1a\n\x00", "not text in UTF-8"),
        (HEADER.encode("utf-16"), "not text in UTF-8"),
        (f"{HEADER},hour\n" + "1," * 19 + "1\n", "columns more than once: hour"),
    ],
    ids=["empty", "a picture", "utf-16", "a column twice"],
)
def test_a_delivery_that_is_no_table_is_refused_when_loaded(
    deliver: Deliver, content: str | bytes, message: str
) -> None:
    deliver(content)

    for load in (load_flights, load_labels):
        with pytest.raises(DataRejectedError, match=message):
            load(MONTH)


def test_text_where_labels_are_made_from_is_refused(raw: pa.Table, deliver: Deliver) -> None:
    deliver(_with(raw.slice(0, 3), "arr_delay", pa.array(["late", "late", "no"])))

    with pytest.raises(DataRejectedError, match="holds text in one of"):
        load_labels(MONTH)


@pytest.mark.parametrize("partition", ["2013", "2013-13", "../x", "2013-7"])
def test_a_partition_that_is_no_month_is_refused(partition: str) -> None:
    for use in (load_flights, load_labels, delivery_path, expectations):
        with pytest.raises(DeclarationError, match="is no month"):
            use(partition)


def test_a_month_goes_from_its_loader_into_the_snapshot(tmp_path: Path) -> None:
    store, reports = SnapshotStore(str(tmp_path / "data")), ReportStore(tmp_path / "reports")

    staged = load_partition(PIPELINE, partition=MONTH, store=store)
    result = validate_partition(PIPELINE, staged=staged, store=store, reports=reports)
    published = publish_partition(staged, validation=result, store=store)

    assert result.success
    assert store.read(published.snapshot).equals(load_flights(MONTH))


def test_a_poisoned_month_is_kept_aside_and_a_month_that_was_never_flown_is_empty(
    raw: pa.Table, deliver: Deliver, tmp_path: Path
) -> None:
    store, reports = SnapshotStore(str(tmp_path / "data")), ReportStore(tmp_path / "reports")
    deliver(_first_value(_first_value(raw, "distance", -5), "hour", 27))

    staged = load_partition(PIPELINE, partition=MONTH, store=store)
    result = validate_partition(PIPELINE, staged=staged, store=store, reports=reports)

    with pytest.raises(DataRejectedError, match="distance_miles"):
        publish_partition(staged, validation=result, store=store)
    assert (Path(str(result.quarantine_uri)) / "failed_rows.parquet").exists()
    with pytest.raises(DataRejectedError, match="'2014-01' of 'flight_delay' is empty"):
        load_partition(PIPELINE, partition="2014-01", store=store)
