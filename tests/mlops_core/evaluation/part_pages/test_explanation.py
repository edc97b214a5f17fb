from collections.abc import Mapping

from evaluation_examples import RECORD
from mlops_core.evaluation.part_pages.explanation import section
from mlops_core.evaluation.report import ChampionEvaluation
from mlops_core.evaluation.sections import (
    Contribution,
    ExplainedRow,
    ExplanationSection,
    FeatureImportance,
)
from mlops_core.pages import Image, Section, Table, Text, page
from registry_examples import passed_report

EXAMPLE = ExplainedRow(
    row=1234,
    score=0.9,
    base=0.3,
    contributions=(
        Contribution(feature="hour", value="19", contribution=0.7),
        Contribution(feature="origin", value="<b>EWR</b>", contribution=-0.1),
    ),
    shown_as="most wrong",
    score_of="probability of late = True",
    truth="False",
)


def importance(count: int = 2) -> tuple[FeatureImportance, ...]:
    return tuple(
        FeatureImportance(feature=f"x{number}", mean_absolute=0.1, share=1 / count, champion_share=None)
        for number in range(count)
    )


def explained(**changes: object) -> ExplanationSection:
    fields = {
        "method": "tree SHAP",
        "rows": 100,
        "importance": importance(),
        "examples": (EXAMPLE,),
        **changes,
    }
    return ExplanationSection(**fields)


def shown(
    document: ExplanationSection, *, files: Mapping[str, bytes] | None = None, rival: bool = False
) -> tuple[Section, str]:
    champion = ChampionEvaluation(version=3, model=RECORD, rows_digest="", scores=()) if rival else None
    report = passed_report(RECORD).model_copy(update={"champion": champion})
    made = section(document, report=report, files=files or {})
    return made, page("title", sections=[made])


def test_pictures_are_shown_where_there_are_files() -> None:
    made, html = shown(explained(), files={"importance.svg": b"<svg/>", "example-1.svg": b"<svg>1</svg>"})

    assert [type(block) for block in made.blocks] == [Text, Image, Table, Text, Image]
    assert made.blocks[1].content == b"<svg/>"
    assert made.blocks[4].content == b"<svg>1</svg>"
    assert made.blocks[4].alternative == "What each value adds; the strongest: hour +0.7000, origin -0.1000"
    assert html.count("data:image/svg+xml") == 2


def test_without_pictures_an_example_is_a_table() -> None:
    made, html = shown(explained())

    assert made.blocks[-1].rows == [("hour", "19", "+0.7000"), ("origin", "<b>EWR</b>", "-0.1000")]
    assert "<b>" not in html


def test_an_example_says_which_row_it_is_and_why_it_is_shown() -> None:
    made, _ = shown(explained())

    assert made.blocks[2].text == (
        "Held-out row 1,234, most wrong: score 0.9000 (probability of late = True) = 0.3000 on average and"
        " what its values add; true value False."
    )


def test_the_method_and_the_champions_order_are_said() -> None:
    made, _ = shown(explained(rank_correlation=0.5), rival=True)

    assert "over 100 held-out rows, by SHAP values (tree SHAP)" in made.blocks[0].text
    assert "importances: 0.5000 (1 is the same order)" in made.blocks[0].text
    assert made.blocks[1].header[-1] == "Champion's share"
    assert made.blocks[1].rows[0] == ("x0", "0.1000", "50.0%", None)


def test_the_strongest_features_alone_are_shown() -> None:
    made, _ = shown(explained(importance=importance(30)))

    assert len(made.blocks[1].rows) == 20
    assert made.blocks[1].caption == "The 20 strongest of 30 features."
