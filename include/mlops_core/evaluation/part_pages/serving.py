"""The challenger as it is served, on the report's page."""

from collections.abc import Mapping

from mlops_core.evaluation.part_pages.badges import badge_of
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.evaluation.sections import ServingSection
from mlops_core.evaluation.wording import number
from mlops_core.pages import Badge, Facts, Section, Text

_KINDS = ("latency", "size", "skew")


def section(
    document: ServingSection,
    *,
    report: EvaluationReport,
    files: Mapping[str, bytes],  # noqa: ARG001  it has none
) -> Section:
    """Show times, sizes and the skew."""
    rows = "one row" if document.rows_a_request == 1 else f"{document.rows_a_request:,} rows"
    skew = document.skew
    return Section(
        "Serving",
        [
            Text(
                f"Loaded in a clean process with one thread, {document.requests:,} requests of {rows}, one at"
                " a time, on the model server's path without the network."
            ),
            Facts(
                items=[
                    ("Median time of a request", f"{number(document.p50_ms)} ms"),
                    ("95th percentile", f"{number(document.p95_ms)} ms"),
                    ("99th percentile", f"{number(document.p99_ms)} ms"),
                    ("Download, verification and loading", f"{number(document.load_seconds)} s"),
                    ("Peak memory of the process", f"{number(document.peak_memory_mb)} MB"),
                    ("Size of the model's files", f"{number(document.size_bytes / 10**6)} MB"),
                    ("Input example's rows scored in both processes", skew.rows),
                    ("Largest difference of a score", number(skew.largest_difference)),
                    ("Differing labels", skew.differing_labels),
                ]
            ),
        ],
        badge=_badge(report),
    )


def _badge(report: EvaluationReport) -> Badge | None:
    found = [badge for kind in _KINDS if (badge := badge_of(report, kind=kind)) is not None]
    refused = [badge for badge in found if badge.verdict != "pass"]
    return next(iter(refused + found), None)
