"""The monitor report as a page: the verdicts first, then what was found, then every column."""

from mlops_core import pages
from mlops_core.monitoring.calibration import DISTANCE, NEW_CATEGORIES, SHIFT
from mlops_core.monitoring.report import (
    DriftSummary,
    FeatureDrift,
    Finding,
    MonitorReport,
    PerformanceVerdict,
    Verdict,
)
from mlops_core.pages import Badge, Cell, Facts, Section, Table, Text

_BADGES = {
    Verdict.DRIFT: "fail",
    Verdict.NO_DRIFT: "pass",
    Verdict.INSUFFICIENT_DATA: "none",
    PerformanceVerdict.LOSS: "fail",
    PerformanceVerdict.NO_LOSS: "pass",
    PerformanceVerdict.INSUFFICIENT_DATA: "none",
}
_ORDER = {Verdict.DRIFT: 0, Verdict.INSUFFICIENT_DATA: 1, Verdict.NO_DRIFT: 2}


def render(report: MonitorReport) -> str:
    """Return the report as one self-contained HTML document."""
    sections = [_verdicts(report), _findings(report)]
    sections.append(_columns("Features", report.data_drift, report=report))
    sections.append(_columns("Scores", report.prediction_drift, report=report))
    sections.append(_provenance(report))
    return pages.page(
        f"Monitor of {report.pipeline}, window {report.partition}",
        subtitle=f"{report.rows:,} rows scored by version {report.version}, against {report.reference_rows:,}"
        " held-out rows of its training",
        badge=_overall(report),
        sections=sections,
    )


def _overall(report: MonitorReport) -> Badge:
    if report.signals:
        return Badge("fail", ", ".join(sorted(report.signals)).replace("_", " "))
    parts = (report.data_drift.verdict, report.prediction_drift.verdict, report.performance.verdict)
    if all(part.value == "insufficient data" for part in parts):
        return Badge("none", "insufficient data")
    if any(part.value == "insufficient data" for part in parts):
        return Badge("warn", "nothing found in what could be compared")
    return Badge("pass", "nothing found")


def _badge(verdict: Verdict | PerformanceVerdict) -> Badge:
    return Badge(_BADGES[verdict], verdict.value)  # type: ignore[arg-type]  # the values are its words


def _verdicts(report: MonitorReport) -> Section:
    parts = (
        ("Data drift", report.data_drift),
        ("Prediction drift", report.prediction_drift),
        ("Performance", report.performance),
    )
    return Section(
        "Verdict",
        [
            Table(
                header=("What", "Verdict", "Why"),
                rows=[(name, _badge(part.verdict), part.reason) for name, part in parts],
            )
        ],
    )


def _findings(report: MonitorReport) -> Section:
    rows: list[tuple[Cell, ...]] = [
        (finding.column or "the window", finding.kind.replace("_", " "), finding.message)
        for finding in _loudest_findings(report)
    ]
    return Section("Findings", [Table(header=("Where", "What", "In numbers"), rows=rows)])


def _loudest_findings(report: MonitorReport) -> list[Finding]:
    columns = (*report.data_drift.columns, *report.prediction_drift.columns)
    order = {column.name: _loudest_first(column) for column in columns}
    quietest = (len(_ORDER), 0.0, "")
    # What is of the whole window comes first.
    return sorted(
        report.findings,
        key=lambda finding: (finding.column is not None, order.get(finding.column or "", quietest)),
    )


def _columns(heading: str, drift: DriftSummary, *, report: MonitorReport) -> Section:
    header = ("Column", "Verdict", "Distance", "Shift", "New categories", "Missing")
    rows = [_row(column) for column in sorted(drift.columns, key=_loudest_first)]
    legend = (
        "Distance: the share of rows that would have to move to another bin. Shift: how far the cumulative"
        " distributions lie apart. New categories: the share of rows of those that the reference lacks. In"
        f" brackets: how much of each chance explains at {report.rows:,} rows; for missing values, the share"
        f" in the reference. Without new categories, a distance below {report.minimum_effect:g} is no drift."
    )
    return Section(heading, [Table(header=header, rows=rows), Text(legend)])


def _loudest_first(column: FeatureDrift) -> tuple[int, float, str]:
    return _ORDER[column.verdict], -(column.distance or 0.0), column.name


def _row(column: FeatureDrift) -> tuple[Cell, ...]:
    measures = {measure.name: measure for measure in column.measures}
    cells: list[Cell] = [column.name, _badge(column.verdict)]
    for name in (DISTANCE, SHIFT, NEW_CATEGORIES):
        measure = measures.get(name)
        cells.append(None if measure is None else f"{measure.value:.3f} ({measure.threshold:.3f})")
    missing = "none" if column.missing_share is None else f"{column.missing_share:.1%}"
    return (*cells, f"{missing} ({column.reference_missing_share:.1%})")


def _provenance(report: MonitorReport) -> Section:
    performance = report.performance
    return Section(
        "Where this comes from",
        [
            Facts(
                items=[
                    ("Snapshot", f"version {report.snapshot.version} of {report.snapshot.table_uri}"),
                    ("Snapshot digest", report.snapshot.digest),
                    ("Predictions digest", report.predictions.digest),
                    ("Model version", f"{report.version}, digest {report.model_digest}"),
                    ("MLflow run", report.run_id),
                    ("Profile digest", report.profile_digest),
                    ("False-alarm rate of a window", report.false_alarm_rate),
                    ("Labelled rows", f"{performance.labelled_rows:,} of {performance.scored_rows:,}"),
                    ("Evidently's page", report.evidently or "none"),
                    ("Report digest", report.digest()),
                ]
            )
        ],
    )
