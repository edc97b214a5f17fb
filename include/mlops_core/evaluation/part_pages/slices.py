"""The slices on the report's page: the declared ones, then the weak ones that were found."""

from collections.abc import Mapping, Sequence

from mlops_core.evaluation.part_pages.badges import badge_of
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.evaluation.scores import MissingScore, Score
from mlops_core.evaluation.sections import SliceEvaluation, SliceSection
from mlops_core.evaluation.wording import limits, number
from mlops_core.pages import Block, Cell, Section, Table, Text

_MOST_A_COLUMN = 15


def section(
    document: SliceSection,
    *,
    report: EvaluationReport,
    files: Mapping[str, bytes],  # noqa: ARG001  it has none
) -> Section:
    """Show what was measured of each slice: the primary metric, and those that slice gates judge."""
    metrics = _metrics(report)
    declared = [one for one in document.slices if not one.found]
    found = [one for one in document.slices if one.found]
    blocks: list[Block] = []
    if declared:
        blocks.append(_table(declared, metrics, with_champion=report.champion is not None))
        blocks.append(Text(_declared_words(document, report)))
    if found:
        blocks.append(_weak_table(found, metrics))
    blocks.append(Text(_search_words(document, found)))
    return Section("Slices", blocks, badge=badge_of(report, kind="slice"))


def _metrics(report: EvaluationReport) -> list[str]:
    judged = [
        verdict.metric.removesuffix(" by slice") for verdict in report.verdicts if verdict.kind == "slice"
    ]
    return list(dict.fromkeys([report.primary_metric, *judged]))


def _table(slices: Sequence[SliceEvaluation], metrics: Sequence[str], *, with_champion: bool) -> Table:
    header = ["Slice", "Rows"]
    for metric in metrics:
        header.append(metric.replace("_", " "))
        header += [f"champion's {metric.replace('_', ' ')}"] if with_champion else []
    rows: list[list[Cell]] = []
    shown = [one for place, one in enumerate(slices) if _place_in_column(slices, place) < _MOST_A_COLUMN]
    for one in shown:
        row: list[Cell] = [one.name, one.rows]
        for metric in metrics:
            row.append(_score(one.scores, metric, one.missing))
            row += [_score(one.champion_scores, metric)] if with_champion else []
        rows.append(row)
    all_of = "" if len(shown) == len(slices) else f" the worst {_MOST_A_COLUMN} of each; the report has all"
    return Table(header=header, rows=rows, caption=f"Worst first, column by column{all_of and ','}{all_of}.")


def _place_in_column(slices: Sequence[SliceEvaluation], place: int) -> int:
    return sum(one.columns == slices[place].columns for one in slices[:place])


def _weak_table(slices: Sequence[SliceEvaluation], metrics: Sequence[str]) -> Table:
    return Table(
        header=("Weak slice", "Rows", "Excess loss", *(metric.replace("_", " ") for metric in metrics)),
        rows=[
            (
                one.name,
                one.rows,
                one.excess_loss,
                *(_score(one.scores, metric, one.missing) for metric in metrics),
            )
            for one in slices
        ],
        caption="Found by search, worst first.",
    )


def _score(scores: Sequence[Score], metric: str, missing: Sequence[MissingScore] = ()) -> str | None:
    for score in scores:
        if score.metric == metric:
            return f"{number(score.value)} ({limits(score.lower, score.upper)})"
    return next((f"none: {absent.reason}" for absent in missing if absent.metric == metric), None)


def _declared_words(document: SliceSection, report: EvaluationReport) -> str:
    return (
        f"Slices of fewer than {document.minimum_rows} rows are counted, not scored. In brackets:"
        f" {report.confidence * 100:g} % confidence interval from {document.resamples} resamples."
    )


def _search_words(document: SliceSection, found: Sequence[SliceEvaluation]) -> str:
    if not document.searched_rows:
        return "Weak slices were not searched for."
    result = "" if found else " None was found."
    return (
        "Weak slices are groups of one or two features with a greater mean loss than all other rows."
        f" They were searched for on {document.searched_rows:,} rows; those that the other half confirms"
        f" are shown, with the numbers of that half.{result}"
    )
