"""The reproduction report as a page: the verdict first, then what differs."""

from collections.abc import Sequence

from mlops_core import pages
from mlops_core.pages import Badge, Facts, Section, Table, Text
from mlops_core.reproduction.report import Difference, ReproductionReport

_COLOURS: dict[str, pages.Verdict] = {"identical": "pass", "equal": "warn", "different": "fail"}
_MEANINGS = {
    "identical": "Fitted again from its recorded job, the version has the same files, byte by byte.",
    "equal": "Fitted again, the version has other files and predicts the same, within the tolerance.",
    "different": "Fitted again, the version predicts otherwise.",
}


def render(report: ReproductionReport) -> str:
    """Return the report as one self-contained HTML document."""
    sections = [_verdict(report), *_predictions(report)]
    for heading, found in (
        ("Metrics on the training rows", report.metrics),
        ("Settings of the estimator", report.parameters),
        ("Packages", report.packages),
    ):
        sections.extend(_differences(heading, found))
    return pages.page(
        f"Reproduction of {report.model} version {report.version}",
        subtitle=f"In the {report.environment} environment",
        badge=_badge(report),
        sections=[*sections, _provenance(report)],
    )


def _badge(report: ReproductionReport) -> Badge:
    return Badge(_COLOURS[report.verdict], report.verdict)


def _verdict(report: ReproductionReport) -> Section:
    found = [Text(f"{said[:1].upper()}{said[1:]}.") for said in report.differences]
    return Section("Verdict", [Text(_MEANINGS[report.verdict]), *found], badge=_badge(report))


def _predictions(report: ReproductionReport) -> list[Section]:
    if not report.predictions:
        return []
    rows = [
        (found.rows_of, found.rows, found.largest, found.mean, found.changed_labels)
        for found in report.predictions
    ]
    header = ("Asked", "Rows", "Largest difference of a score", "Mean difference", "Labels that change")
    caption = f"Equal are scores that differ by no more than {report.tolerance:g} and change no label."
    return [Section("Predictions", [Table(header=header, rows=rows, caption=caption)])]


def _differences(heading: str, found: Sequence[Difference]) -> list[Section]:
    if not found:
        return []
    rows = [(difference.name, difference.recorded, difference.rebuilt) for difference in found]
    return [Section(heading, [Table(header=("", "Recorded", "Now"), rows=rows)])]


def _provenance(report: ReproductionReport) -> Section:
    facts = Facts(
        items=(
            ("Recorded run", report.recorded_run_id),
            ("Second run", report.run_id),
            ("Second model", report.rebuilt.uri),
            ("Recorded content", report.recorded_content),
            ("Second content", report.rebuilt_content),
        )
    )
    return Section("Provenance", [facts])
