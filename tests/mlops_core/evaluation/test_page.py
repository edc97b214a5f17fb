import re

import numpy as np
import pytest

from evaluation_examples import BINARY, MULTICLASS, REGRESSION, binary_outcome, random_outcome
from mlops_core.evaluation.catalogue import Task, metrics_for
from mlops_core.evaluation.chart import calibration_chart
from mlops_core.evaluation.page import render
from mlops_core.evaluation.report import (
    CalibrationBin,
    ChampionEvaluation,
    Comparison,
    Difference,
    EvaluationReport,
    GateVerdict,
    MissingScore,
    Score,
)
from mlops_core.evaluation.tables import calibration, confusion_matrix
from mlops_core.models.record import ModelRecord
from registry_examples import passed_report

STORED = ModelRecord(run_id="run", model_id="m-1", uri="models:/m-1", digest="ab" * 32)


@pytest.fixture
def report() -> EvaluationReport:
    return passed_report(STORED)


def refused(report: EvaluationReport) -> EvaluationReport:
    verdict = GateVerdict(
        gate="log_loss at most 0.5",
        metric="log_loss",
        kind="absolute",
        passed=False,
        reason="log_loss 0.6 exceeds the maximum 0.5",
    )
    return report.model_copy(update={"verdicts": (*report.verdicts, verdict)})


def with_champion(report: EvaluationReport) -> EvaluationReport:
    rival = ChampionEvaluation(
        version=7,
        model=STORED,
        rows_digest=report.rows_digest,
        scores=(Score(metric="roc_auc", value=0.75, lower=0.7, upper=0.8),),
    )
    change = Difference(metric="roc_auc", improvement=0.05, lower=0.01, upper=0.09)
    return report.model_copy(update={"champion": rival, "differences": (change,)})


def test_an_improvement_s_interval_is_named_where_it_is_corrected(report: EvaluationReport) -> None:
    compared = with_champion(report)
    chosen = Comparison(candidates=3, confidence=1 - 0.05 / 3, resamples=1200)
    alone = Comparison(candidates=1, confidence=0.95, resamples=500)

    words = text(render(compared.model_copy(update={"comparison": chosen})))

    assert (
        "The interval of an improvement is a 98.3 % interval from 1,200 resamples: corrected for 3"
        " candidates, of which the best was chosen on these rows."
    ) in words
    assert "The interval of an improvement" not in text(render(compared))
    assert "The interval of an improvement" not in text(
        render(compared.model_copy(update={"comparison": alone}))
    )


def text(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("<body>")[2]).split())


def test_the_verdict_comes_before_any_other_number(report: EvaluationReport) -> None:
    words = text(render(report))

    assert "may go to production: it passed its one gate" in words
    assert words.index("may go to production") < words.index("Scores")


def test_the_cold_start_is_said_plainly(report: EvaluationReport) -> None:
    assert "There is no champion yet (cold start), so it was compared with nothing." in text(render(report))


def test_a_refusal_names_the_gate_and_why(report: EvaluationReport) -> None:
    words = text(render(refused(report)))

    assert "may not go to production: 1 of 2 gates refused it." in words
    assert "log loss at most 0.5 refused log_loss 0.6 exceeds the maximum 0.5" in words
    assert "may go to production" not in words


def test_a_report_without_a_gate_is_shown_as_refused(report: EvaluationReport) -> None:
    words = text(render(report.model_copy(update={"verdicts": ()})))

    assert "may not go to production: no gate was judged." in words


def test_challenger_and_champion_stand_side_by_side(report: EvaluationReport) -> None:
    words = text(render(with_champion(report)))

    assert "Challenger against champion" in words
    assert (
        "roc auc more 0.8000 (0.7000 to 0.9000) 0.7500 (0.7000 to 0.8000) +0.0500 (+0.0100 to +0.0900)"
        in words
    )


def test_a_missing_score_says_why(report: EvaluationReport) -> None:
    absent = MissingScore(metric="accuracy", reason="undefined: no rows of class 1")
    challenger = report.challenger.model_copy(update={"missing": (absent,)})

    words = text(render(report.model_copy(update={"challenger": challenger})))

    assert "accuracy more none: undefined: no rows of class 1" in words


def test_other_candidates_are_listed_with_a_warning_about_choosing(report: EvaluationReport) -> None:
    other = report.challenger.model_copy(update={"candidate": "logistic", "run_id": "run-2"})

    words = text(render(report.model_copy(update={"others": (other,)})))

    assert "logistic 0.8000 (0.7000 to 0.9000) run-2" in words
    assert "flatters its scores a little" in words


def test_the_evidence_digest_and_the_rows_digest_can_be_read(report: EvaluationReport) -> None:
    words = text(render(report))

    assert report.digest() in words
    assert report.rows_digest in words


def test_names_from_outside_are_escaped(report: EvaluationReport) -> None:
    challenger = report.challenger.model_copy(
        update={"confusion_matrix": confusion_matrix(random_outcome(MULTICLASS))}
    )
    matrix = challenger.confusion_matrix
    assert matrix is not None
    planted = matrix.model_copy(update={"classes": ("<script>alert(1)</script>", *matrix.classes[1:])})
    planted_challenger = challenger.model_copy(update={"confusion_matrix": planted})

    page = render(report.model_copy(update={"challenger": planted_challenger}))

    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, REGRESSION])
def test_every_task_has_a_page(report: EvaluationReport, task: Task) -> None:
    outcome = random_outcome(task)
    challenger = report.challenger.model_copy(
        update={
            "confusion_matrix": confusion_matrix(outcome),
            "calibration": calibration(outcome),
            "scores": tuple(
                Score(metric=metric.name, value=0.5, lower=0.4, upper=0.6) for metric in metrics_for(task)
            ),
        }
    )

    words = text(render(report.model_copy(update={"task": task, "challenger": challenger})))

    assert "Calibration" in words
    assert ("Confusion matrix" in words) == (task is not REGRESSION)
    assert all(metric.name.replace("_", " ") in words for metric in metrics_for(task))


def test_the_shares_of_a_confusion_matrix_are_of_the_true_class(report: EvaluationReport) -> None:
    matrix = confusion_matrix(binary_outcome([1, 1, 1, 1, 0], [0.9, 0.8, 0.7, 0.1, 0.2]))
    challenger = report.challenger.model_copy(update={"confusion_matrix": matrix})

    words = text(render(report.model_copy(update={"challenger": challenger})))

    assert "yes 1 (25.0%) 3 (75.0%) 4" in words


def circles(bins: list[CalibrationBin]) -> list[tuple[float, float]]:
    found = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', calibration_chart(bins).decode())
    return [(float(across), float(down)) for across, down in found]


def level(predicted: float, observed: float, *, rows: int = 10) -> CalibrationBin:
    return CalibrationBin(lower=0, upper=1, rows=rows, predicted=predicted, observed=observed)


def test_a_calibrated_bin_lies_on_the_diagonal_of_the_chart() -> None:
    [(across, down)] = circles([level(0.3, 0.3)])

    assert across + down == pytest.approx(320)


def test_a_bin_that_promises_too_much_lies_below_the_diagonal() -> None:
    [(across, down)] = circles([level(0.9, 0.3)])

    assert across + down > 320


def test_a_chart_of_one_repeated_value_can_be_drawn() -> None:
    assert len(circles([level(7.0, 7.0)])) == 1


def test_a_chart_of_values_beyond_one_stays_inside_its_frame() -> None:
    points = circles([level(float(value), float(value) * 1.1) for value in np.linspace(-50, 900, 10)])

    assert all(40 <= across <= 280 and 40 <= down <= 280 for across, down in points)
