"""A metric of the challenger against a fixed bound."""

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import find_metric
from mlops_core.evaluation.judges.evidence import Answer, Evidence
from mlops_core.evaluation.judges.usable import interval, usable_score
from mlops_core.evaluation.wording import number_beside
from mlops_core.gates import AbsoluteGate


def words(gate: AbsoluteGate) -> str:
    """Say what the gate asks for."""
    if gate.minimum is not None:
        return f"{gate.metric} at least {gate.minimum:g}"
    return f"{gate.metric} at most {gate.maximum}"


def subject(gate: AbsoluteGate) -> str:
    """Name what is judged."""
    return gate.metric


def judge(gate: AbsoluteGate, evidence: Evidence) -> Answer:
    """Compare the point value with the bound."""
    metric = find_metric(gate.metric)
    score = usable_score(metric, evidence.challenger, evidence, who="the challenger")
    if gate.minimum is not None:
        bound, passed = gate.minimum, score.value >= gate.minimum
        answer = "reaches the minimum" if passed else "does not reach the minimum"
    elif gate.maximum is not None:
        bound, passed = gate.maximum, score.value <= gate.maximum
        answer = "stays within the maximum" if passed else "exceeds the maximum"
    else:
        raise EvaluationError("the gate has no bound; give it a minimum or a maximum")
    found = interval(score.lower, score.upper, evidence.confidence)
    return Answer(
        passed=passed,
        value=score.value,
        bound=bound,
        reason=f"{metric.name} {number_beside(score.value, bound)} ({found}) {answer} {bound:g}",
        evidence=f"challenger/scores/{metric.name}",
    )
