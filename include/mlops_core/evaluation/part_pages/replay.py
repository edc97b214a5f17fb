"""The challenger in the shadow of what was served, on the report's page."""

from collections.abc import Mapping

from mlops_core.evaluation.part_pages.badges import badge_of
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.evaluation.sections import ReplayedWindow, ReplaySection
from mlops_core.evaluation.wording import limits, number
from mlops_core.pages import Block, Cell, Section, Table, Text


def section(
    document: ReplaySection,
    *,
    report: EvaluationReport,
    files: Mapping[str, bytes],  # noqa: ARG001  it has none
) -> Section:
    """Show each window, what is improved where labels are known, and the rows that change most."""
    if not document.windows:
        return Section("Replay", [Text("Nothing was ever served, so there is nothing to replay.")])
    share = "" if document.disagreement is None else f" {document.disagreement:.2%} of all rows disagree."
    blocks: list[Block] = [
        Text(f"The last windows that were served, scored again by the challenger.{share}"),
        Table(
            header=("Window", "Served by version", "Rows", "Disagree", "Mean change of a score", "Labelled"),
            rows=[_row(window) for window in document.windows],
        ),
    ]
    if any(window.trained_on for window in document.windows):
        blocks.append(Text("The challenger was fitted on windows marked *, which flatters it there."))
    improvements = [row for window in document.windows for row in _improvements(window, report)]
    if improvements:
        blocks.append(Table(header=("Window", "Metric", "Improvement on what was served"), rows=improvements))
    if document.changes:
        changes = [
            (change.partition, change.key, number(change.served), number(change.challenger))
            for change in document.changes
        ]
        header = ("Window", "Key", "Served score", "Challenger's")
        blocks.append(Table(header=header, rows=changes, caption="Rows that change most."))
    return Section("Replay", blocks, badge=badge_of(report, kind="replay"))


def _row(window: ReplayedWindow) -> tuple[Cell, ...]:
    return (
        f"{window.partition}{' *' if window.trained_on else ''}",
        str(window.version),
        window.rows,
        f"{window.disagreeing_rows:,} ({window.disagreeing_rows / window.rows:.2%})",
        number(window.mean_change),
        window.labelled_rows,
    )


def _improvements(window: ReplayedWindow, report: EvaluationReport) -> list[tuple[Cell, ...]]:
    judged = {report.primary_metric, *(verdict.metric for verdict in report.verdicts)}
    return [
        (
            window.partition,
            change.metric.replace("_", " "),
            f"{number(change.improvement, sign='+')} ({limits(change.lower, change.upper, sign='+')})",
        )
        for change in window.differences
        if change.metric in judged
    ]
