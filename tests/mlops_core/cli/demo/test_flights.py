from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import csv

from mlops_core.cli.demo import flights

ROWS = 120


@pytest.fixture
def delivered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    def read(partition: str) -> pa.Table:
        return pa.table(
            {
                "month": [int(partition[-2:])] * ROWS,
                "hour": list(range(ROWS)),
                "sched_arr_time": [1200] * ROWS,
                "distance": [500] * ROWS,
            }
        )

    monkeypatch.setattr(flights, "resolve", lambda _: read)
    return {path.stem: path for path in flights.deliver_poison(tmp_path)}


def test_every_poisoned_month_lies_where_deliveries_arrive(delivered: dict[str, Path]) -> None:
    assert set(delivered) == set(flights.POISONED)
    assert {path.parent.name for path in delivered.values()} == {"flight_delay"}


def test_one_month_has_a_column_under_another_name(delivered: dict[str, Path]) -> None:
    assert csv.read_csv(delivered["2013-08"]).column_names == [
        "month",
        "hour",
        "scheduled_arrival",
        "distance",
    ]


def test_one_month_has_impossible_values_in_some_rows(delivered: dict[str, Path]) -> None:
    table = csv.read_csv(delivered["2013-09"])

    assert [value for value in table["distance"].to_pylist() if value < 0] == [-500] * 3
    assert table["hour"].to_pylist().count(99) >= 3
    assert table.num_rows == ROWS


def test_one_month_is_cut_in_the_middle_of_a_line(delivered: dict[str, Path]) -> None:
    content = delivered["2013-10"].read_text()

    assert len(content.splitlines()) < 0.6 * ROWS
    assert not content.endswith("\n")
