"""Bad challengers, each refused for its own reason; and good ones let through."""

import math
from typing import Any

import pytest

from evaluation_examples import candidate, champion, difference, evidence, score
from mlops_core.errors import GateRefusedError, UnknownMetricError
from mlops_core.evaluation.gates import Evidence, enforce, judge
from mlops_core.evaluation.report import Comparison, EvaluationReport, GateVerdict, MissingScore
from mlops_core.models.record import ModelRecord
from mlops_core.pipeline import AbsoluteGate, ChampionGate
from registry_examples import passed_report

AT_LEAST = AbsoluteGate(metric="roc_auc", minimum=0.7)
NOT_WORSE = ChampionGate(metric="roc_auc", margin=0.01)


def with_champion(
    *, new: float = 0.8, former: float = 0.79, lower: float = 0.001, **changes: Any
) -> Evidence:
    fields = {
        "challenger": candidate(score(new)),
        "champion": champion(score(former)),
        "differences": (difference(new - former, lower, new - former + 0.01),),
    }
    return evidence(**{**fields, **changes})


def test_a_score_above_the_minimum_passes_with_its_numbers() -> None:
    [verdict] = judge([AT_LEAST], evidence=evidence())

    assert verdict.passed
    assert (verdict.value, verdict.bound) == (0.8, 0.7)
    assert verdict.gate == "roc_auc at least 0.7"
    assert verdict.reason == "roc_auc 0.8000 (95 % interval 0.7900 to 0.8100) reaches the minimum 0.7"


def test_a_score_that_equals_the_bound_passes() -> None:
    [verdict] = judge([AbsoluteGate(metric="roc_auc", minimum=0.8)], evidence=evidence())

    assert verdict.passed


def test_a_loss_within_the_maximum_passes() -> None:
    loss = candidate(score(0.4, metric="log_loss"))

    [verdict] = judge([AbsoluteGate(metric="log_loss", maximum=0.5)], evidence=evidence(challenger=loss))

    assert verdict.passed
    assert verdict.gate == "log_loss at most 0.5"
    assert "stays within the maximum 0.5" in verdict.reason


def test_verdicts_come_in_the_order_of_the_gates() -> None:
    verdicts = judge([NOT_WORSE, AT_LEAST], evidence=evidence())

    assert [verdict.kind for verdict in verdicts] == ["champion", "absolute"]


def test_a_rounded_number_never_looks_equal_to_the_bound_it_misses() -> None:
    challenger = candidate(score(0.6999999))

    [verdict] = judge([AT_LEAST], evidence=evidence(challenger=challenger))

    assert not verdict.passed
    assert "roc_auc 0.6999999 " in verdict.reason


def test_a_challenger_that_may_be_a_little_worse_passes_within_the_margin() -> None:
    [verdict] = judge([NOT_WORSE], evidence=with_champion(new=0.788, former=0.79, lower=-0.0099))

    assert verdict.passed
    assert (verdict.value, verdict.bound) == (-0.0099, -0.01)
    assert verdict.reason == (
        "roc_auc 0.7880 against 0.7900 of champion version 3 on the same 1,000 rows: improvement -0.0020"
        " (95 % interval -0.0099 to +0.0080); its lower limit -0.0099 lies above -0.01"
    )


CORRECTED = Comparison(candidates=3, confidence=1 - 0.05 / 3, resamples=1200)


def test_the_best_of_several_is_judged_by_its_corrected_limit_and_the_reason_says_so() -> None:
    [verdict] = judge([NOT_WORSE], evidence=with_champion(comparison=CORRECTED))

    assert verdict.passed
    assert (
        "improvement +0.0100 (98.3 % interval +0.0010 to +0.0200, corrected for 3 candidates);"
        in verdict.reason
    )


def test_a_difference_that_the_best_of_several_lacks_says_why() -> None:
    [verdict] = judge([NOT_WORSE], evidence=with_champion(comparison=CORRECTED, differences=()))

    assert not verdict.passed
    assert "undefined in some of the 1,200 resamples that the best of 3 candidates takes" in verdict.reason


def test_the_cold_start_passes_and_says_so() -> None:
    [verdict] = judge([NOT_WORSE], evidence=evidence())

    assert verdict.passed
    assert verdict.reason == "no champion yet: cold start; roc_auc 0.8000 is compared with nothing"


BAD = {
    "a score below the minimum": (
        AT_LEAST,
        evidence(challenger=candidate(score(0.65))),
        "roc_auc 0.6500 (95 % interval 0.6400 to 0.6600) does not reach the minimum 0.7",
    ),
    "a loss above the maximum": (
        AbsoluteGate(metric="log_loss", maximum=0.5),
        evidence(challenger=candidate(score(0.6, metric="log_loss"))),
        "exceeds the maximum 0.5",
    ),
    "a score that is NaN": (
        AT_LEAST,
        evidence(challenger=candidate(score(math.nan))),
        "roc_auc of the challenger is nan; a gate needs a finite number",
    ),
    "a score that is infinite": (
        AbsoluteGate(metric="r2", minimum=0.1),
        evidence(challenger=candidate(score(math.inf, metric="r2"))),
        "r2 of the challenger is inf; a gate needs a finite number",
    ),
    "the number that MLflow stores for infinity": (
        AT_LEAST,
        evidence(challenger=candidate(score(1.797e308))),
        "outside its range [0, 1]",
    ),
    "a score above its range": (
        AT_LEAST,
        evidence(challenger=candidate(score(1.2))),
        "roc_auc of the challenger is 1.2, outside its range [0, 1]",
    ),
    "a loss below zero": (
        AbsoluteGate(metric="log_loss", maximum=0.5),
        evidence(challenger=candidate(score(-3, metric="log_loss"))),
        "log_loss of the challenger is -3, outside its range [0, inf]",
    ),
    "no score at all": (
        AT_LEAST,
        evidence(challenger=candidate()),
        "the challenger has no roc_auc: it was never computed",
    ),
    "a score that could not be computed": (
        AT_LEAST,
        evidence(
            challenger=candidate(missing=(MissingScore(metric="roc_auc", reason="undefined: one class"),))
        ),
        "the challenger has no roc_auc: undefined: one class",
    ),
    "no rows": (
        AT_LEAST,
        evidence(holdout_rows=0),
        "no held-out row was scored",
    ),
    "a challenger scored on other rows": (
        AT_LEAST,
        evidence(challenger=candidate(score(0.9), rows_digest="ff" * 32)),
        "the challenger was scored on the rows ffffffffffff, the report is about the rows 121212121212",
    ),
    "a gate that has lost its bound": (
        AbsoluteGate.model_construct(metric="roc_auc", minimum=None, maximum=None),
        evidence(),
        "the gate has no bound",
    ),
    "a NaN at the cold start": (
        NOT_WORSE,
        evidence(challenger=candidate(score(math.nan))),
        "roc_auc of the challenger is nan",
    ),
    "an improvement too uncertain": (
        NOT_WORSE,
        with_champion(new=0.8, former=0.79, lower=-0.02),
        "its lower limit -0.0200 does not lie above -0.01",
    ),
    "a lower limit on the margin itself": (
        NOT_WORSE,
        with_champion(lower=-0.01),
        "its lower limit -0.0100 does not lie above -0.01",
    ),
    "the champion's own twin where better was asked for": (
        ChampionGate(metric="roc_auc"),
        with_champion(new=0.79, former=0.79, lower=0.0),
        "its lower limit 0 does not lie above 0",
    ),
    "a champion scored on other rows": (
        NOT_WORSE,
        with_champion(champion=champion(score(0.5), rows_digest="ff" * 32)),
        "champion version 3 was scored on the rows ffffffffffff",
    ),
    "a champion without a score": (
        NOT_WORSE,
        with_champion(champion=champion()),
        "champion version 3 has no roc_auc",
    ),
    "a champion whose score is NaN": (
        NOT_WORSE,
        with_champion(champion=champion(score(math.nan))),
        "roc_auc of champion version 3 is nan",
    ),
    "no difference": (
        NOT_WORSE,
        with_champion(differences=()),
        "the difference of roc_auc from the champion is missing",
    ),
    "the difference of another metric": (
        NOT_WORSE,
        with_champion(differences=(difference(0.1, 0.05, 0.2, metric="accuracy"),)),
        "the difference of roc_auc from the champion is missing",
    ),
    "a lower limit that is NaN": (
        NOT_WORSE,
        with_champion(differences=(difference(0.1, math.nan, 0.2),)),
        "a gate needs finite confidence limits",
    ),
    "a lower limit that is infinite": (
        NOT_WORSE,
        with_champion(differences=(difference(0.1, math.inf, math.inf),)),
        "a gate needs finite confidence limits",
    ),
    "limits in the wrong order": (
        NOT_WORSE,
        with_champion(differences=(difference(0.1, 0.2, 0.05),)),
        "the confidence limits of roc_auc are in the wrong order",
    ),
}


@pytest.mark.parametrize(("gate", "planted", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_challenger_is_refused_for_the_right_reason(
    gate: AbsoluteGate | ChampionGate, planted: Evidence, reason: str
) -> None:
    [verdict] = judge([gate], evidence=planted)

    assert not verdict.passed
    assert reason in verdict.reason


def test_a_gate_on_an_unknown_metric_is_an_error() -> None:
    with pytest.raises(UnknownMetricError, match="unknown metric 'auc'"):
        judge([AbsoluteGate(metric="auc", minimum=0.5)], evidence=evidence())


def report(*verdicts: GateVerdict) -> EvaluationReport:
    stored = ModelRecord(run_id="run", model_id="m-1", uri="models:/m-1", digest="ab" * 32)
    return passed_report(stored).model_copy(update={"verdicts": verdicts})


def verdict(*, passed: bool, gate: str = "roc_auc at least 0.7") -> GateVerdict:
    return GateVerdict(
        gate=gate, metric="roc_auc", kind="absolute", passed=passed, reason="0.65 misses 0.7 by 0.05"
    )


def test_a_report_whose_gates_all_passed_is_let_through() -> None:
    enforce(report(verdict(passed=True), verdict(passed=True)))


def test_a_report_with_one_refusal_is_refused_and_names_that_gate_alone() -> None:
    with pytest.raises(GateRefusedError) as refusal:
        enforce(report(verdict(passed=True, gate="good gate"), verdict(passed=False)))

    assert str(refusal.value) == (
        "candidate 'boosted_trees' of 'flight_delay' is refused by 1 of 2 gates:"
        "\n  roc_auc at least 0.7: 0.65 misses 0.7 by 0.05"
    )


def test_a_report_without_a_verdict_is_refused() -> None:
    with pytest.raises(GateRefusedError, match="no gate was judged; declare at least one in the pipeline"):
        enforce(report())


def test_no_gates_give_no_verdicts() -> None:
    assert judge([], evidence=evidence()) == ()
