"""A metric of the challenger against the champion's on the same rows: non-inferiority."""

from mlops_core.evaluation.catalogue import find_metric
from mlops_core.evaluation.judges.evidence import Answer, Evidence
from mlops_core.evaluation.judges.usable import interval, usable_difference, usable_score
from mlops_core.evaluation.scores import Difference
from mlops_core.evaluation.wording import limits, number, number_beside
from mlops_core.gates import ChampionGate


def words(gate: ChampionGate) -> str:
    """Say what the gate asks for."""
    if gate.margin > 0:
        return f"{gate.metric} not worse than the champion's by {gate.margin:g}"
    return f"{gate.metric} better than the champion's"


def subject(gate: ChampionGate) -> str:
    """Name what is judged."""
    return gate.metric


def judge(gate: ChampionGate, evidence: Evidence) -> Answer:
    """Compare the lower confidence limit of the improvement with the margin."""
    metric = find_metric(gate.metric)
    score = usable_score(metric, evidence.challenger, evidence, who="the challenger")
    if evidence.champion is None:
        return Answer(
            passed=True,
            reason=(
                f"no champion yet: cold start; {metric.name} {number(score.value)} is compared with nothing"
            ),
        )
    champion = f"champion version {evidence.champion.version}"
    former = usable_score(metric, evidence.champion, evidence, who=champion)
    difference = usable_difference(metric, evidence)
    bound = 0.0 - gate.margin
    passed = difference.lower > bound
    found = _interval(difference, evidence)
    answer = "lies above" if passed else "does not lie above"
    return Answer(
        passed=passed,
        value=difference.lower,
        bound=bound,
        reason=(
            f"{metric.name} {number(score.value)} against {number(former.value)} of {champion} on the same"
            f" {evidence.holdout_rows:,} rows:"
            f" improvement {number(difference.improvement, sign='+')} ({found});"
            f" its lower limit {number_beside(difference.lower, bound, sign='+')} {answer} {bound:g}"
        ),
        evidence=f"differences/{metric.name}",
    )


def _interval(difference: Difference, evidence: Evidence) -> str:
    comparison = evidence.comparison
    if comparison is None or not comparison.is_corrected:
        return interval(difference.lower, difference.upper, evidence.confidence, sign="+")
    found = limits(difference.lower, difference.upper, sign="+")
    return f"{comparison.interval} {found}, {comparison.reason}"
