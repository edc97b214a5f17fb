"""Whether the challenger's probabilities mean what they say, with the doubt that the rows leave."""

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import find_metric
from mlops_core.evaluation.judges.evidence import Answer, Evidence
from mlops_core.evaluation.judges.usable import interval, usable_score
from mlops_core.evaluation.wording import number, number_beside
from mlops_core.gates import CalibrationGate

_METRIC = "expected_calibration_error"


def words(gate: CalibrationGate) -> str:
    """Say what the gate asks for."""
    return f"{_METRIC} surely at most {gate.maximum:g}"


def subject(gate: CalibrationGate) -> str:  # noqa: ARG001  every judge is asked the same way
    """Name what is judged."""
    return _METRIC


def judge(gate: CalibrationGate, evidence: Evidence) -> Answer:
    """Compare the upper confidence limit with the maximum."""
    metric = find_metric(_METRIC)
    score = usable_score(metric, evidence.challenger, evidence, who="the challenger")
    if not (score.lower <= score.upper and metric.holds(score.upper)):
        raise EvaluationError(
            f"the confidence limits of {_METRIC} are {score.lower} and {score.upper}; a gate needs an upper"
            f" one in {metric.range}"
        )
    # The resamples may all lie on one side of the value itself, which must pass in any case.
    value = max(score.value, score.upper)
    passed = value <= gate.maximum
    found = interval(score.lower, score.upper, evidence.confidence)
    answer = "stays within the maximum" if passed else "exceeds the maximum"
    return Answer(
        passed=passed,
        value=value,
        bound=gate.maximum,
        reason=(
            f"{_METRIC} {number(score.value)} ({found}):"
            f" its upper limit {number_beside(value, gate.maximum)} {answer} {gate.maximum:g}"
        ),
        evidence=f"challenger/scores/{_METRIC}",
    )
