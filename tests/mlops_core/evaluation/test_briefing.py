"""What an approver reads: every number beside its rival, and nothing that data have named as markup."""

from evaluation_examples import RECORD, candidate, champion, difference, score
from mlops_core.evaluation.briefing import briefing, quoted
from mlops_core.evaluation.report import Comparison, EvaluationReport
from mlops_core.evaluation.sections import (
    AttributeFairness,
    FairnessScore,
    FairnessSection,
    Sections,
    ServingSection,
    Skew,
    SliceEvaluation,
    SliceSection,
)
from registry_examples import passed_report

NONE = "\N{EN DASH}"


def report(**changes: object) -> EvaluationReport:
    return passed_report(RECORD).model_copy(update=changes)


def test_the_candidate_stands_beside_the_champion_with_intervals() -> None:
    text = briefing(
        report(
            challenger=candidate(score(0.8)),
            champion=champion(score(0.78)),
            differences=(difference(0.02, 0.01, 0.03),),
        ),
        version=4,
    )

    assert "**Version 4 of `flight_delay`**, candidate `trees`, risk low; champion is version 3." in text
    assert (
        "| `roc_auc` | 0.8000 (0.7900 to 0.8100) | 0.7800 (0.7700 to 0.7900) | +0.0200 (+0.0100 to +0.0300) |"
    ) in text


def test_the_interval_of_an_improvement_is_named_where_it_is_corrected() -> None:
    compared = report(
        challenger=candidate(score(0.8)),
        champion=champion(score(0.78)),
        differences=(difference(0.02, 0.01, 0.03),),
    )
    chosen = Comparison(candidates=3, confidence=1 - 0.05 / 3, resamples=1200)

    text = briefing(compared.model_copy(update={"comparison": chosen}), version=4)

    assert "In brackets: 95 % interval. The interval of an improvement is a 98.3 % interval" in text
    assert "In brackets" not in briefing(compared, version=4)


def test_without_a_champion_it_says_so_and_leaves_the_column_empty() -> None:
    text = briefing(report(), version=1)

    assert "there is no champion yet" in text
    assert f"| `roc_auc` | 0.8000 (0.7000 to 0.9000) | {NONE} | {NONE} |" in text


def test_gates_slices_fairness_and_cost_are_there_where_they_were_measured() -> None:
    parity = FairnessScore(measure="equalized_odds_difference", value=0.05, lower=0.02, upper=0.08)
    sections = Sections(
        slices=SliceSection(
            slices=(
                SliceEvaluation(
                    name="origin = EWR",
                    columns=("origin",),
                    found=False,
                    rows=1200,
                    scores=(score(0.7),),
                    champion_scores=(score(0.71),),
                ),
            ),
            minimum_rows=100,
        ),
        fairness=FairnessSection(
            attributes=(AttributeFairness(attribute="origin", groups=(), scores=(parity,)),), minimum_rows=50
        ),
        serving=ServingSection(
            requests=200,
            rows_a_request=1,
            p50_ms=2.0,
            p95_ms=3.0,
            p99_ms=4.0,
            load_seconds=1.0,
            peak_memory_mb=300.0,
            size_bytes=1_500_000,
            skew=Skew(rows=5, largest_difference=0.0, differing_labels=0),
        ),
    )

    text = briefing(report(sections=sections), version=1, fit_seconds=12.3)

    assert "| `roc_auc >= 0.6` | passed | `0.8 reaches 0.6` |" in text
    assert "| `origin = EWR` | 1,200 | 0.7000 (0.6900 to 0.7100) | 0.7100 (0.7000 to 0.7200) |" in text
    assert f"| `origin` | `equalized_odds_difference` | 0.0500 (0.0200 to 0.0800) | {NONE} |" in text
    assert "fitted in 12.3 s; one request takes 2 ms (p50)" in text
    assert "its files have 1.5 MB" in text


def test_held_out_rows_that_have_decided_often_are_called_worn() -> None:
    assert "These rows have decided 12 times" in briefing(report(holdout_uses=12), version=1)
    assert "have decided" not in briefing(report(holdout_uses=9), version=1)


def test_what_data_have_named_cannot_leave_its_cell() -> None:
    assert quoted("a|b`c\n<script>") == "`a\N{BROKEN BAR}b'c <script>`"
    assert quoted(r"EWR\| **0.99** |") == "`EWR/\N{BROKEN BAR} **0.99** \N{BROKEN BAR}`"
    assert quoted("") == "` `"
