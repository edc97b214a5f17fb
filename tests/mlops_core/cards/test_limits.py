"""What is known not to be good, from the evidence alone."""

from collections.abc import Callable

import pytest

from card_examples import sections
from mlops_core.cards.documents import ModelCard
from mlops_core.cards.limits import known_limits
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.evaluation.sections import Sections
from mlops_core.models.record import ModelRecord
from mlops_core.training.environment import CodeVersion
from mlops_core.training.job import SplitIdentity
from registry_examples import passed_report

CLEAN = CodeVersion(commit="c0ffee", modified=False)


@pytest.fixture
def spotless() -> EvaluationReport:
    """A report with nothing to say against it but that nothing was examined."""
    stored = ModelRecord(run_id="run", model_id="m-1", uri="models:/m-1", digest="digest")
    report = passed_report(stored)
    champion = report.challenger.model_dump(exclude={"candidate", "run_id"}) | {"version": 1}
    narrow = [{"metric": "roc_auc", "value": 0.8, "lower": 0.79, "upper": 0.81}]
    return EvaluationReport.model_validate(
        report.model_dump()
        | {
            "champion": champion,
            "challenger": report.challenger.model_dump() | {"scores": narrow},
            "split": SplitIdentity(
                training_partitions=("2013-01",), holdout_partitions=("2013-02", "2013-03"), digest="split"
            ),
        }
    )


def test_a_spotless_report_names_only_what_was_not_examined(spotless: EvaluationReport) -> None:
    assert known_limits(spotless, code=CLEAN) == (
        "Not examined: slices, fairness, explanation, robustness, serving, leakage, replay.",
    )


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("cold start", {"champion": None}),
        ("decided 12 times, this time included; they are worn out", {"holdout_uses": 12}),
        ("decided 3 times, this time included.", {"holdout_uses": 3}),
        ("10 of 110 held-out rows have no target", {"dropped_rows": 10}),
        (
            "judged on one partition alone (2013-02)",
            {"split": SplitIdentity(training_partitions=("1",), holdout_partitions=("2013-02",), digest="s")},
        ),
    ],
)
def test_each_weakness_of_a_report_is_one_sentence(
    spotless: EvaluationReport, words: str, changes: dict[str, object]
) -> None:
    told = known_limits(spotless.model_copy(update=changes), code=CLEAN)

    assert [sentence for sentence in told if words in sentence]
    assert len(told) == 2


@pytest.mark.parametrize(
    ("words", "section"),
    [
        ("weakest where colour = blue (60 rows): roc_auc 0.6100 (0.5700 to 0.6500), 0.8000 on all", "slices"),
        ("Too few rows to score (fewer than 20): <script>", "slices"),
        ("Groups of member too small to compare (fewer than 50 rows): rare (9)", "fairness"),
        ("Under missing 0.1 its roc_auc falls behind by 0.1000, to 0.7000", "robustness"),
        ("2 of 100 held-out rows are training rows too", "leakage"),
        ("Could not be examined: explanation: ValueError: too many columns", "unexamined"),
    ],
)
def test_each_part_that_was_examined_tells_its_own(
    spotless: EvaluationReport, words: str, section: str
) -> None:
    examined = Sections(**{section: getattr(sections(), section)})

    told = known_limits(spotless.model_copy(update={"sections": examined}), code=CLEAN)

    assert [sentence for sentence in told if words in sentence]


def test_wide_intervals_and_missing_scores_are_named_with_their_numbers(card: ModelCard) -> None:
    assert "Wide intervals, for 100 held-out rows: accuracy 0.7500 (0.5500 to 0.9500)." in card.known_limits
    assert "There is no log_loss: it is infinite." in card.known_limits


def test_code_that_its_commit_does_not_tell_is_named(spotless: EvaluationReport) -> None:
    modified = CLEAN.model_copy(update={"modified": True})

    assert any("differed from commit c0ffee" in one for one in known_limits(spotless, code=modified))


def test_the_best_of_several_candidates_is_flattered(card_of: Callable[..., ModelCard]) -> None:
    assert any("best of 2 candidates" in sentence for sentence in card_of().known_limits)
