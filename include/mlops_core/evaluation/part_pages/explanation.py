"""The explanation on the report's page: what matters, and why some rows got their score."""

from collections.abc import Iterator, Mapping

from mlops_core.evaluation.report import EvaluationReport
from mlops_core.evaluation.sections import ExplainedRow, ExplanationSection
from mlops_core.evaluation.wording import number
from mlops_core.pages import Block, Image, Section, Table, Text

_MOST_FEATURES = 20


def section(document: ExplanationSection, *, report: EvaluationReport, files: Mapping[str, bytes]) -> Section:
    """Show the strongest features, and the examples with their pictures."""
    blocks: list[Block] = [Text(_words(document))]
    if "importance.svg" in files:
        blocks.append(_picture(files["importance.svg"], "Each feature's share; the mark is the champion's"))
    header = ["Feature", "Mean absolute SHAP value", "Share"]
    header += [] if report.champion is None else ["Champion's share"]
    blocks.append(
        Table(
            header=header,
            rows=[
                (one.feature, number(one.mean_absolute), f"{one.share:.1%}")
                + (() if report.champion is None else (_percent(one.champion_share),))
                for one in document.importance[:_MOST_FEATURES]
            ],
            caption=f"The {_MOST_FEATURES} strongest of {len(document.importance)} features."
            if len(document.importance) > _MOST_FEATURES
            else "",
        )
    )
    for place, example in enumerate(document.examples, start=1):
        blocks.extend(_example(example, files.get(f"example-{place}.svg")))
    return Section("Explanation", blocks)


def _words(document: ExplanationSection) -> str:
    words = (
        f"How strongly each feature moves the score, over {document.rows} held-out rows, by SHAP values"
        f" ({document.method}). A feature that moves the score need not cause what is predicted."
    )
    if document.rank_correlation is None:
        return words
    alike = number(document.rank_correlation)
    return f"{words} Rank correlation with the champion's importances: {alike} (1 is the same order)."


def _example(example: ExplainedRow, picture: bytes | None) -> Iterator[Block]:
    shown_as = f", {example.shown_as}" if example.shown_as else ""
    score_of = f" ({example.score_of})" if example.score_of else ""
    truth = f"; true value {example.truth}" if example.truth else ""
    yield Text(
        f"Held-out row {example.row:,}{shown_as}: score {number(example.score)}{score_of} ="
        f" {number(example.base)} on average and what its values add{truth}."
    )
    strongest = example.contributions[:_MOST_FEATURES]
    if picture is not None:
        named = ", ".join(f"{one.feature} {number(one.contribution, sign='+')}" for one in strongest[:3])
        yield _picture(picture, f"What each value adds; the strongest: {named}")
    else:
        yield Table(
            header=("Feature", "Value", "Adds"),
            rows=[(one.feature, one.value, number(one.contribution, sign="+")) for one in strongest],
        )


def _picture(content: bytes, alternative: str) -> Image:
    return Image(content=content, media_type="image/svg+xml", alternative=alternative)


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.1%}"
