import math

import pytest

from evaluation_examples import candidate, evidence, score
from mlops_core.evaluation.gates import Evidence, judge
from mlops_core.evaluation.report import MissingScore
from mlops_core.evaluation.scores import Score
from mlops_core.gates import CalibrationGate

METRIC = "expected_calibration_error"
GATE = CalibrationGate(maximum=0.05)


def calibrated(value: float, lower: float, upper: float) -> Evidence:
    planted = Score.model_construct(metric=METRIC, value=value, lower=lower, upper=upper)
    return evidence(challenger=candidate(planted))


def test_an_upper_limit_on_the_bound_passes_with_its_numbers() -> None:
    [verdict] = judge([GATE], evidence=calibrated(0.03, 0.02, 0.05))

    assert verdict.passed
    assert (verdict.value, verdict.bound) == (0.05, 0.05)
    assert verdict.gate == "expected_calibration_error surely at most 0.05"
    assert verdict.metric == METRIC
    assert verdict.evidence == "challenger/scores/expected_calibration_error"
    assert verdict.reason == (
        "expected_calibration_error 0.0300 (95 % interval 0.0200 to 0.0500): its upper limit 0.0500 stays"
        " within the maximum 0.05"
    )


BAD = {
    "a limit just beyond": (
        calibrated(0.03, 0.02, 0.0500001),
        "its upper limit 0.0500001 exceeds the maximum",
    ),
    "a value above its own interval": (calibrated(0.06, 0.02, 0.04), "exceeds the maximum 0.05"),
    "a limit of NaN": (calibrated(0.03, 0.02, math.nan), "are 0.02 and nan; a gate needs an upper one"),
    "a lower limit of NaN": (calibrated(0.03, math.nan, 0.04), "are nan and 0.04"),
    "an infinite limit": (calibrated(0.03, 0.02, math.inf), "are 0.02 and inf"),
    "limits in the wrong order": (calibrated(0.03, 0.04, 0.02), "are 0.04 and 0.02"),
    "limits below zero": (calibrated(0.0, -0.2, -0.1), "an upper one in [0, 1]"),
    "a value of NaN": (calibrated(math.nan, 0.01, 0.02), "is nan; a gate needs a finite number"),
    "a value out of range": (calibrated(-0.5, 0.01, 0.02), "outside its range [0, 1]"),
    "no rows": (evidence(holdout_rows=0), "no held-out row was scored"),
    "other rows": (
        evidence(challenger=candidate(score(0.01, metric=METRIC), rows_digest="ff" * 32)),
        "was scored on the rows ffffffffffff",
    ),
    "no score": (evidence(), "the challenger has no expected_calibration_error: it was never computed"),
    "a score that could not be computed": (
        evidence(
            challenger=candidate(missing=(MissingScore(metric=METRIC, reason="undefined in 3 of 500"),))
        ),
        "the challenger has no expected_calibration_error: undefined in 3 of 500",
    ),
}


@pytest.mark.parametrize(("planted", "words"), BAD.values(), ids=BAD.keys())
def test_a_doubt_or_a_bad_number_is_refused(planted: Evidence, words: str) -> None:
    [verdict] = judge([GATE], evidence=planted)

    assert not verdict.passed
    assert words in verdict.reason
