"""Fairness on the report's page: each sensitive attribute's groups and measures."""

from collections.abc import Iterator, Mapping

from mlops_core.evaluation.part_pages.badges import badge_of
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.evaluation.sections import AttributeFairness, FairnessScore, FairnessSection
from mlops_core.evaluation.wording import limits, number
from mlops_core.pages import Badge, Block, Cell, Section, Table, Text


def section(
    document: FairnessSection,
    *,
    report: EvaluationReport,
    files: Mapping[str, bytes],  # noqa: ARG001  it has none
) -> Section:
    """Show how every group is treated, and by how much groups differ."""
    blocks: list[Block] = []
    for attribute in document.attributes:
        blocks.extend(_attribute(attribute, report))
    blocks.append(
        Text(
            f"Groups and values of fewer than {document.minimum_rows} rows each are named and not"
            " compared; a gate refuses over them unless it leaves them out. A difference is best at 0, the"
            f" disparate impact ratio at 1. In brackets: {report.confidence * 100:g} % confidence interval"
            f" from {report.resamples:,} resamples; a spread over groups is never negative, so that chance"
            " alone lies above 0."
        )
    )
    return Section("Fairness", blocks, badge=badge_of(report, kind="fairness"))


def _attribute(attribute: AttributeFairness, report: EvaluationReport) -> Iterator[Block]:
    former = {score.measure: score for score in attribute.champion_scores}
    header = [f"Over {attribute.attribute}", "Challenger"]
    header += [] if report.champion is None else ["Champion"]
    rows: list[list[Cell]] = []
    for score in attribute.scores:
        row: list[Cell] = [score.measure.replace("_", " "), _score(score)]
        row += [] if report.champion is None else [_score(former.get(score.measure))]
        rows.append(row)
    for absent in attribute.missing:
        row = [absent.metric.replace("_", " "), f"none: {absent.reason}"]
        row += [] if report.champion is None else [_score(former.get(absent.metric))]
        rows.append(row)
    yield Table(header=header, rows=rows)
    yield Table(
        header=(
            attribute.attribute,
            "Rows",
            "Selected",
            "True positive rate",
            "False positive rate",
            "Compared",
        ),
        rows=[
            (
                group.group,
                group.rows,
                _percent(group.selection_rate),
                _percent(group.true_positive_rate),
                _percent(group.false_positive_rate),
                "yes" if group.compared else Badge("none", "no"),
            )
            for group in attribute.groups
        ],
        caption=f"Rates of class {attribute.rates_of}." if attribute.rates_of else "",
    )


def _score(score: FairnessScore | None) -> str | None:
    if score is None:
        return None
    of_class = "" if score.of_class is None else f", class {score.of_class}"
    return f"{number(score.value)} ({limits(score.lower, score.upper)}){of_class}"


def _percent(rate: float | None) -> str | None:
    return None if rate is None else f"{rate:.1%}"
