import logging
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mlops_core.monitoring import evidently_report
from mlops_core.monitoring.binning import ReferenceColumn
from mlops_core.monitoring.evidently_report import render_evidently


def table(rows: int, *, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table(
        {
            "amount": random.normal(size=rows),
            "colour": random.choice(["red", "green"], rows),
            "member": pa.array(random.random(rows) < 0.5, mask=random.random(rows) < 0.1),
            "at": pa.array(random.integers(0, 10**12, rows), pa.timestamp("us")),
            "empty": pa.nulls(rows, pa.float64()),
            "same": np.ones(rows),
            "things": pa.array([[1]] * rows),
        }
    )


def columns(reference: pa.Table) -> list[ReferenceColumn]:
    return [ReferenceColumn.of(name, reference.column(name)) for name in reference.column_names]


@pytest.mark.slow
def test_every_kind_of_column_is_drawn_or_left_out() -> None:
    reference = table(300, seed=0)
    html = render_evidently(columns(reference), reference=reference, current=table(200, seed=1), seed=0)
    assert html is not None
    for shown in ("amount", "colour", "member", "same"):
        assert shown in html


def test_a_window_without_a_comparable_column_has_no_page() -> None:
    reference = table(300, seed=0).select(["empty", "things"])
    assert render_evidently(columns(reference), reference=reference, current=reference, seed=0) is None


def test_columns_that_are_gone_or_of_another_type_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(
        evidently_report, "_render", lambda current, _reference, **_: drawn.extend(current.columns) or "page"
    )
    reference = table(300, seed=0)
    current = reference.drop_columns(["colour"]).set_column(0, "amount", pa.array(["a"] * 300))
    assert render_evidently(columns(reference), reference=reference, current=current, seed=0) == "page"
    assert drawn == ["member", "at", "same"]


def test_evidently_is_given_a_bounded_number_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(
        evidently_report, "_render", lambda *frames, **_: sizes.extend(map(len, frames)) or "page"
    )
    reference = table(6000, seed=0)
    render_evidently(columns(reference), reference=reference, current=table(7000, seed=1), seed=0)
    assert sizes == [5000, 5000]


def test_a_failure_of_evidently_costs_its_page_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(evidently_report, "_render", fail)
    reference = table(300, seed=0)
    with caplog.at_level(logging.ERROR):
        assert render_evidently(columns(reference), reference=reference, current=reference, seed=0) is None
    assert "Evidently made no page of 5 columns" in caplog.text
