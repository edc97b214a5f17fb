"""Signs of leakage, on the report's page."""

from collections.abc import Mapping

from mlops_core.evaluation.bars import Bar, bar_chart
from mlops_core.evaluation.part_pages.badges import badge_of
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.evaluation.sections import LeakageSection
from mlops_core.pages import Block, Image, Section, Text

_MOST_SHOWN = 30


def section(
    document: LeakageSection,
    *,
    report: EvaluationReport,
    files: Mapping[str, bytes],  # noqa: ARG001  it has none
) -> Section:
    """Show what each feature explains alone, and how many held-out rows were trained on."""
    shown = document.powers[:_MOST_SHOWN]
    hidden = len(document.powers) - len(shown)
    rest = f" The {hidden} weakest are left out." if hidden else ""
    blocks: list[Block] = [
        Text(
            f"{document.overlapping_rows:,} of {document.holdout_rows:,} held-out rows"
            f" ({document.overlap:.2%}) are a training row too."
        ),
        Text(
            f"How well one feature alone explains the target, on {document.rows:,} training rows: 0 is"
            f" chance, 1 is perfection. A feature near 1 is likely to know the answer.{rest}"
        ),
    ]
    if shown:
        chart = bar_chart([Bar(name=one.feature, value=one.power) for one in shown])
        words = "Power of each feature alone, strongest first"
        blocks.append(Image(content=chart, media_type="image/svg+xml", alternative=words))
    return Section("Leakage", blocks, badge=badge_of(report, kind="leakage"))
