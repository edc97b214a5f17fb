import pytest

from depth_examples import attribute, fairness, fairness_score
from evaluation_examples import RECORD
from mlops_core.evaluation.part_pages.fairness import section
from mlops_core.evaluation.report import ChampionEvaluation, GateVerdict
from mlops_core.evaluation.scores import MissingScore
from mlops_core.evaluation.sections import FairnessSection
from mlops_core.pages import Badge, Section, page
from registry_examples import passed_report


def shown(document: FairnessSection, *answers: bool, rival: bool = False) -> tuple[Section, str]:
    report = passed_report(RECORD)
    verdicts = [
        GateVerdict(gate="a gate", metric="a measure", kind="fairness", passed=answer, reason="because")
        for answer in answers
    ]
    champion = ChampionEvaluation(version=3, model=RECORD, rows_digest="", scores=()) if rival else None
    report = report.model_copy(update={"verdicts": (*report.verdicts, *verdicts), "champion": champion})
    made = section(document, report=report, files={})
    return made, page("title", sections=[made])


def test_measures_and_groups_of_every_attribute_are_shown() -> None:
    score = fairness_score(0.1, lower=0.05, upper=0.15)

    made, html = shown(fairness(attribute(score), attribute(score, name="carrier")))

    measures, groups, other, _, words = made.blocks
    assert measures.header == ["Over origin", "Challenger"]
    assert measures.rows == [["equalized odds difference", "0.1000 (0.0500 to 0.1500)"]]
    assert groups.rows == [
        ("EWR", 100, "50.0%", "75.0%", None, "yes"),
        ("JFK", 100, "50.0%", "75.0%", None, "yes"),
        ("LGA", 7, "50.0%", "75.0%", None, Badge("none", "no")),
    ]
    assert groups.caption == "Rates of class late."
    assert other.header[0] == "Over carrier"
    assert "fewer than 50 rows" in words.text
    assert "95 % confidence interval from 500 resamples" in html


def test_the_champion_stands_beside_and_a_missing_measure_says_why() -> None:
    absent = MissingScore(metric="disparate_impact_ratio", reason="no row is predicted late")
    former = (fairness_score(0.2), fairness_score(0.7, measure="disparate_impact_ratio"))
    document = fairness(attribute(fairness_score(0.1), missing=(absent,), champion_scores=former))

    made, _ = shown(document, rival=True)

    assert [row[1:] for row in made.blocks[0].rows] == [
        ["0.1000 (0.1000 to 0.1000)", "0.2000 (0.2000 to 0.2000)"],
        ["none: no row is predicted late", "0.7000 (0.7000 to 0.7000)"],
    ]


def test_the_worst_class_is_named() -> None:
    made, _ = shown(fairness(attribute(fairness_score(0.1, of_class="seven"))))

    assert made.blocks[0].rows[0][1].endswith(", class seven")


@pytest.mark.parametrize(
    ("answers", "words"), [((), None), ((True, True), "passed"), ((True, False), "refused")]
)
def test_the_badge_says_what_the_fairness_gates_said(answers: tuple[bool, ...], words: str | None) -> None:
    made, _ = shown(fairness(attribute(fairness_score(0.1))), *answers)

    assert (made.badge.text if made.badge else None) == words


def test_names_from_data_are_escaped() -> None:
    _, html = shown(fairness(attribute(fairness_score(0.1), name="<script>alert(1)</script>")))

    assert "<script>" not in html
    assert "Over &lt;script&gt;" in html
