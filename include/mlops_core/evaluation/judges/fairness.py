"""A fairness measure over the groups of one sensitive attribute against its bound."""

import math

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.judges.evidence import Answer, Evidence
from mlops_core.evaluation.judges.examined import examined
from mlops_core.evaluation.judges.usable import interval
from mlops_core.evaluation.sections import AttributeFairness, FairnessScore, GroupRates
from mlops_core.evaluation.wording import number_beside
from mlops_core.gates import FairnessGate


def words(gate: FairnessGate) -> str:
    """Say what the gate asks for."""
    bound = f"at most {gate.maximum}" if gate.minimum is None else f"at least {gate.minimum:g}"
    return f"{gate.measure} over {gate.attribute} {bound}"


def subject(gate: FairnessGate) -> str:
    """Name what is judged."""
    return f"{gate.measure} over {gate.attribute}"


def judge(gate: FairnessGate, evidence: Evidence) -> Answer:
    """Compare the measure's value on the held-out rows with the bound."""
    attribute = _attribute(gate, evidence)
    score = _usable(gate, attribute)
    if gate.minimum is not None:
        bound, passed = gate.minimum, score.value >= gate.minimum
        answer = "reaches the minimum" if passed else "does not reach the minimum"
    elif gate.maximum is not None:
        bound, passed = gate.maximum, score.value <= gate.maximum
        answer = "stays within the maximum" if passed else "exceeds the maximum"
    else:
        raise EvaluationError("the gate has no bound; give it a minimum or a maximum")
    compared = [group.group for group in attribute.groups if group.compared]
    comparable, small = _small_groups(gate, attribute, evidence)
    of_class = "" if score.of_class is None else f" of class {score.of_class}, the worst,"
    found = interval(score.lower, score.upper, evidence.confidence)
    return Answer(
        passed=passed and comparable,
        value=score.value,
        bound=bound,
        reason=(
            f"{gate.measure}{of_class} {number_beside(score.value, bound)} ({found}) over {len(compared)}"
            f" groups of {gate.attribute} ({_listed(compared)}) {answer} {bound:g}{small}"
        ),
        evidence=f"sections/fairness/{gate.attribute}/{gate.measure}",
    )


def _attribute(gate: FairnessGate, evidence: Evidence) -> AttributeFairness:
    if not evidence.holdout_rows > 0:
        raise EvaluationError("no held-out row was scored; a gate needs at least one")
    section = examined(evidence.sections.fairness, part="fairness", evidence=evidence)
    found = [one for one in section.attributes if one.attribute == gate.attribute]
    if len(found) != 1:
        known = ", ".join(repr(one.attribute) for one in section.attributes) or "none"
        raise EvaluationError(
            f"fairness was examined {len(found)} times over {gate.attribute!r}; examined were {known}"
        )
    return found[0]


def _usable(gate: FairnessGate, attribute: AttributeFairness) -> FairnessScore:
    scores = [score for score in attribute.scores if score.measure == gate.measure]
    if len(scores) != 1:
        reasons = (absent.reason for absent in attribute.missing if absent.metric == gate.measure)
        raise EvaluationError(
            f"there is no {gate.measure} over {gate.attribute}: {next(reasons, 'it was never computed')}"
        )
    score = scores[0]
    groups = sum(group.compared and group.rows > 0 for group in attribute.groups)
    if groups < 2:
        raise EvaluationError(
            f"{groups} groups of {gate.attribute} have rows enough to be compared; it takes two"
        )
    numbers = (score.lower, score.value, score.upper)
    if not all(math.isfinite(limit) and 0 <= limit <= 1 for limit in numbers):
        raise EvaluationError(f"{gate.measure} over {gate.attribute} is {numbers}; it must lie in [0, 1]")
    return score


def _small_groups(gate: FairnessGate, attribute: AttributeFairness, evidence: Evidence) -> tuple[bool, str]:
    """Tell whether the groups that were not compared let the gate pass, and in which words."""
    section = examined(evidence.sections.fairness, part="fairness", evidence=evidence)
    minimum = section.minimum_rows
    left_out = [_with_rows(group, minimum) for group in attribute.groups if not group.compared]
    if not left_out:
        return True, ""
    if gate.small_groups == "leave_out":
        return True, f"; too few rows each to compare: {_listed(left_out)}"
    return False, (
        f"; not compared, which alone is a refusal: {_listed(left_out)}; a group takes {minimum:,} rows: hold"
        " out more rows, lower evaluation.fairness.minimum_rows, or say small_groups='leave_out' on the gate"
    )


def _with_rows(group: GroupRates, minimum: int) -> str:
    rows = "1 row" if group.rows == 1 else f"{group.rows:,} rows"
    # Rare values together may well have rows enough, and yet none of them has.
    return f"{group.group} ({rows}{' together' if group.rows >= minimum else ''})"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
