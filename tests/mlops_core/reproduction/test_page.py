"""The page says the verdict, every difference in words, and escapes all of it."""

from typing import Any

import pytest

from mlops_core.models.record import ModelRecord
from mlops_core.reproduction.page import render
from mlops_core.reproduction.report import Difference, PredictionDifference, ReproductionReport


def report(**changes: Any) -> ReproductionReport:
    fields: dict[str, Any] = {
        "model": "flight_delay",
        "version": 3,
        "verdict": "identical",
        "environment": "recorded",
        "recorded_run_id": "first-run",
        "run_id": "second-run",
        "rebuilt": ModelRecord(run_id="second-run", model_id="m-2", uri="models:/m-2", digest="d"),
        "recorded_content": "c1",
        "rebuilt_content": "c1",
    }
    return ReproductionReport.model_validate({**fields, **changes})


@pytest.mark.parametrize(
    ("verdict", "succeeded"), [("identical", True), ("equal", True), ("different", False)]
)
def test_the_verdict_is_there_in_a_word(verdict: str, succeeded: bool) -> None:
    found = report(verdict=verdict)

    assert found.succeeded is succeeded
    assert f">{verdict}<" in render(found).replace("\n", "").replace(" ", "")


def test_differences_and_figures_are_shown_and_escaped() -> None:
    page = render(
        report(
            verdict="different",
            differences=("package <b>numpy</b> was 1 and is 2",),
            packages=(Difference(name="numpy", recorded="1", rebuilt=None),),
            predictions=(
                PredictionDifference(
                    rows_of="held-out rows", rows=27_004, largest=0.25, mean=None, changed_labels=12
                ),
            ),
        )
    )

    assert "Package &lt;b&gt;numpy&lt;/b&gt; was 1 and is 2." in page
    for shown in ("27,004", "0.25", "12", "second-run", "models:/m-2", "Packages"):
        assert shown in page


def test_what_does_not_differ_has_no_section() -> None:
    page = render(report())

    for heading in ("Packages", "Predictions", "Settings of the estimator"):
        assert heading not in page
