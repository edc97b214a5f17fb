"""What perturbations cost the challenger, on the report's page."""

from collections.abc import Mapping

from mlops_core.evaluation.bars import Bar, bar_chart
from mlops_core.evaluation.part_pages.badges import badge_of
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.evaluation.sections import RobustnessSection
from mlops_core.evaluation.wording import number
from mlops_core.pages import Block, Cell, Image, Section, Table, Text


def section(
    document: RobustnessSection,
    *,
    report: EvaluationReport,
    files: Mapping[str, bytes],  # noqa: ARG001  it has none
) -> Section:
    """Show the primary metric's losses, and those of each metric that a robustness gate judges."""
    judged = [verdict.metric for verdict in report.verdicts if verdict.kind == "robustness"]
    metrics = list(dict.fromkeys([report.primary_metric, *judged]))
    blocks: list[Block] = [
        Text(
            f"The challenger scored again on {document.rows:,} held-out rows whose features are changed."
            " A positive loss is worse. Of absent columns each metric shows those that cost it most."
        )
    ]
    losses = [
        Bar(name=score.perturbation, value=score.loss)
        for score in document.scores
        if score.metric == metrics[0]
    ]
    if losses:
        chart = bar_chart(losses, sign="+")
        words = f"Loss of {metrics[0].replace('_', ' ')} under each perturbation"
        blocks.append(Image(content=chart, media_type="image/svg+xml", alternative=words))
    rows: list[tuple[Cell, ...]] = [
        (
            score.perturbation,
            score.metric.replace("_", " "),
            number(score.value),
            number(score.loss, sign="+"),
        )
        for metric in metrics
        for score in document.scores
        if score.metric == metric
    ]
    blocks.append(Table(header=("Perturbation", "Metric", "Value", "Loss"), rows=rows))
    if document.missing:
        absent = [(missing.metric, missing.reason) for missing in document.missing]
        blocks.append(Table(header=("Not scored", "Why"), rows=absent))
    return Section("Robustness", blocks, badge=badge_of(report, kind="robustness"))
