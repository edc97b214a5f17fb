from collections.abc import Callable
from typing import Any

import pyarrow as pa

from mlops_core.monitoring.page import render
from mlops_core.monitoring.report import MonitorReport

ReportOf = Callable[..., MonitorReport]


def test_the_verdicts_come_before_the_findings_and_the_columns(report_of: ReportOf, examples: Any) -> None:
    html = render(report_of(examples.rows(shift=2.0)))
    places = [html.index(f">{heading}<") for heading in ("Verdict", "Findings", "Features", "Scores")]
    assert places == sorted(places)
    assert "data drift, prediction drift" in html[: places[0]]


def test_what_drifted_is_told_before_what_did_not(report_of: ReportOf, examples: Any) -> None:
    rows = examples.rows(shift=2.0)
    colours = pa.array(["mauve", *rows["colour"].to_pylist()[1:]])
    html = render(report_of(rows.set_column(2, "colour", colours)))
    findings = html[html.index(">Findings<") : html.index(">Features<")]
    assert findings.index(">amount<") < findings.index(">colour<")
    assert "the reference lacks &#39;mauve&#39;, in 1 of 400 rows, by chance up to" in findings


def test_a_quiet_window_says_so(report_of: ReportOf, examples: Any) -> None:
    assert "nothing found" in render(report_of(examples.rows()))


def test_a_window_of_too_few_rows_is_not_called_quiet(report_of: ReportOf, examples: Any) -> None:
    html = render(report_of(examples.rows(50)))
    assert "nothing found" not in html
    assert "the window holds 50 rows; 100 are needed" in html


def test_what_the_data_hold_is_escaped(report_of: ReportOf, examples: Any) -> None:
    rows = examples.rows()
    script = pa.array(["<script>alert(1)</script>"] * 50 + rows["colour"].to_pylist()[50:])
    html = render(report_of(rows.set_column(2, "colour", script)))
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
