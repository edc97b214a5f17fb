import pytest

from depth_examples import one_slice, slice_score, slices
from evaluation_examples import RECORD
from mlops_core.evaluation.part_pages.slices import section
from mlops_core.evaluation.report import ChampionEvaluation, EvaluationReport, GateVerdict
from mlops_core.evaluation.scores import MissingScore
from mlops_core.evaluation.sections import SliceSection
from mlops_core.pages import Section, page
from registry_examples import passed_report


def verdict(*, passed: bool, metric: str = "log_loss by slice") -> GateVerdict:
    return GateVerdict(gate="a gate", metric=metric, kind="slice", passed=passed, reason="because")


def shown(document: SliceSection, *verdicts: GateVerdict, rival: bool = False) -> tuple[Section, str]:
    report: EvaluationReport = passed_report(RECORD)
    champion = ChampionEvaluation(version=3, model=RECORD, rows_digest="", scores=()) if rival else None
    report = report.model_copy(update={"verdicts": (*report.verdicts, *verdicts), "champion": champion})
    made = section(document, report=report, files={})
    return made, page("title", sections=[made])


def test_declared_slices_are_shown_with_their_interval_and_rows() -> None:
    made, html = shown(slices(one_slice("origin = EWR")))

    assert made.heading == "Slices"
    assert made.badge is None
    [row] = made.blocks[0].rows
    assert made.blocks[0].caption == "Worst first, column by column."
    assert row == ["origin = EWR", 200, "0.8000 (0.7000 to 0.9000)"]
    assert "95 % confidence interval from 200 resamples" in html
    assert "fewer than 100 rows are counted, not scored" in html


def test_metrics_that_slice_gates_judge_are_shown_beside_the_primary_one() -> None:
    slice_ = one_slice("origin = EWR", scores=(slice_score(0.8), slice_score(0.3, metric="log_loss")))

    made, _ = shown(slices(slice_), verdict(passed=True))

    assert made.blocks[0].header == ["Slice", "Rows", "roc auc", "log loss"]
    assert made.blocks[0].rows[0][3] == "0.3000 (0.2000 to 0.4000)"
    assert made.badge.text == "passed"


@pytest.mark.parametrize(("answers", "words"), [((True, True), "passed"), ((True, False), "refused")])
def test_the_badge_says_what_the_slice_gates_said(answers: tuple[bool, ...], words: str) -> None:
    made, _ = shown(slices(one_slice("origin = EWR")), *(verdict(passed=answer) for answer in answers))

    assert made.badge.text == words


def test_of_many_slices_the_worst_of_each_column_are_shown() -> None:
    many = [one_slice(f"dest = {number}") for number in range(20)]

    made, _ = shown(slices(*many, one_slice("origin = EWR")))

    assert [row[0] for row in made.blocks[0].rows] == [
        *(f"dest = {number}" for number in range(15)),
        "origin = EWR",
    ]
    assert made.blocks[0].caption == (
        "Worst first, column by column, the worst 15 of each; the report has all."
    )


def test_the_champions_score_stands_beside() -> None:
    made, _ = shown(slices(one_slice("origin = EWR", champion_scores=(slice_score(0.7),))), rival=True)

    assert made.blocks[0].header == ["Slice", "Rows", "roc auc", "champion's roc auc"]
    assert made.blocks[0].rows[0][3] == "0.7000 (0.6000 to 0.8000)"


def test_a_missing_score_says_why_and_a_small_slice_has_a_dash() -> None:
    missing = one_slice("a = 1", None, missing=(MissingScore(metric="roc_auc", reason="one class"),))

    made, _ = shown(slices(missing, one_slice("a = 2", None, rows=3)))

    assert [row[2] for row in made.blocks[0].rows] == ["none: one class", None]


def test_found_slices_have_a_table_of_their_own() -> None:
    found = one_slice("x = 1 and y = 2", found=True, columns=("x", "y"), excess_loss=0.25)

    made, html = shown(slices(one_slice("origin = EWR"), found))

    assert made.blocks[2].rows == [("x = 1 and y = 2", 200, 0.25, "0.8000 (0.7000 to 0.9000)")]
    assert "searched for on 500 rows" in html
    assert "None was found" not in html


def test_a_search_without_a_find_and_no_search_say_so() -> None:
    _, html = shown(slices(one_slice("origin = EWR")))
    _, unsearched = shown(slices().model_copy(update={"searched_rows": 0}))

    assert "None was found" in html
    assert "Weak slices were not searched for." in unsearched


def test_names_from_data_are_escaped() -> None:
    _, html = shown(slices(one_slice("origin = <script>alert(1)</script>")))

    assert "<script>" not in html
    assert "origin = &lt;script&gt;" in html
