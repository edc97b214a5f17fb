"""Gates: may the challenger go to production? Every doubt is a no, with its own words.

Each check asks whether the evidence passes, never whether it fails, so a NaN, which compares false with
everything, is refused like any other number that does not reach its bound.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlops_core.errors import EvaluationError, GateRefusedError
from mlops_core.evaluation.catalogue import Metric, find_metric
from mlops_core.evaluation.report import (
    CandidateEvaluation,
    ChampionEvaluation,
    Difference,
    EvaluationReport,
    GateVerdict,
    ModelEvaluation,
    Score,
)
from mlops_core.evaluation.wording import limits, number, number_beside
from mlops_core.pipeline import AbsoluteGate, ChampionGate, Gate


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the gates look at.

    Parameters
    ----------
    champion
        The version in production; None at the cold start.
    differences
        Of the challenger from the champion, paired on the same rows.
    rows_digest
        Of the held-out rows that the report is about.
    confidence
        Of every interval, for example 0.95.
    """

    challenger: CandidateEvaluation
    champion: ChampionEvaluation | None
    differences: Sequence[Difference]
    holdout_rows: int
    rows_digest: str
    confidence: float


def judge(gates: Sequence[Gate], *, evidence: Evidence) -> tuple[GateVerdict, ...]:
    """Return each gate's verdict on the challenger, in the gates' order."""
    return tuple(_judge_one(gate, evidence) for gate in gates)


def enforce(report: EvaluationReport) -> None:
    """Let a challenger through that every gate passed.

    Raises
    ------
    GateRefusedError
        Naming each gate that refused, with its numbers and bound; or saying that no gate was judged.
    """
    if report.passed:
        return
    who = f"candidate {report.challenger.candidate!r} of {report.pipeline!r}"
    if not report.verdicts:
        raise GateRefusedError(f"{who} is refused: no gate was judged; declare at least one in the pipeline")
    refusals = [verdict for verdict in report.verdicts if not verdict.passed]
    lines = "".join(f"\n  {verdict.gate}: {verdict.reason}" for verdict in refusals)
    raise GateRefusedError(f"{who} is refused by {len(refusals)} of {len(report.verdicts)} gates:{lines}")


def _judge_one(gate: Gate, evidence: Evidence) -> GateVerdict:
    metric = find_metric(gate.metric)
    try:
        if isinstance(gate, AbsoluteGate):
            return _judge_absolute(gate, metric, evidence)
        return _judge_against_champion(gate, metric, evidence)
    except EvaluationError as doubt:
        return GateVerdict(
            gate=_words(gate), metric=gate.metric, kind=gate.kind, passed=False, reason=str(doubt)
        )


def _judge_absolute(gate: AbsoluteGate, metric: Metric, evidence: Evidence) -> GateVerdict:
    score = _usable_score(metric, evidence.challenger, evidence, who="the challenger")
    if gate.minimum is not None:
        bound, passed = gate.minimum, score.value >= gate.minimum
        answer = "reaches the minimum" if passed else "does not reach the minimum"
    elif gate.maximum is not None:
        bound, passed = gate.maximum, score.value <= gate.maximum
        answer = "stays within the maximum" if passed else "exceeds the maximum"
    else:
        raise EvaluationError("the gate has no bound; give it a minimum or a maximum")
    interval = _interval(score.lower, score.upper, evidence.confidence)
    return GateVerdict(
        gate=_words(gate),
        metric=gate.metric,
        kind=gate.kind,
        passed=passed,
        value=score.value,
        bound=bound,
        reason=f"{metric.name} {number_beside(score.value, bound)} ({interval}) {answer} {bound:g}",
    )


def _judge_against_champion(gate: ChampionGate, metric: Metric, evidence: Evidence) -> GateVerdict:
    score = _usable_score(metric, evidence.challenger, evidence, who="the challenger")
    if evidence.champion is None:
        return GateVerdict(
            gate=_words(gate),
            metric=gate.metric,
            kind=gate.kind,
            passed=True,
            reason=(
                f"no champion yet: cold start; {metric.name} {number(score.value)} is compared with nothing"
            ),
        )
    champion = f"champion version {evidence.champion.version}"
    former = _usable_score(metric, evidence.champion, evidence, who=champion)
    difference = _usable_difference(metric, evidence)
    bound = 0.0 - gate.margin
    passed = difference.lower > bound
    interval = _interval(difference.lower, difference.upper, evidence.confidence, sign="+")
    answer = "lies above" if passed else "does not lie above"
    return GateVerdict(
        gate=_words(gate),
        metric=gate.metric,
        kind=gate.kind,
        passed=passed,
        value=difference.lower,
        bound=bound,
        reason=(
            f"{metric.name} {number(score.value)} against {number(former.value)} of {champion} on the same"
            f" {evidence.holdout_rows:,} rows:"
            f" improvement {number(difference.improvement, sign='+')} ({interval});"
            f" its lower limit {number_beside(difference.lower, bound, sign='+')} {answer} {bound:g}"
        ),
    )


def _usable_score(metric: Metric, model: ModelEvaluation, evidence: Evidence, *, who: str) -> Score:
    """Return the model's score if it can be trusted."""
    if not evidence.holdout_rows > 0:
        raise EvaluationError("no held-out row was scored; a gate needs at least one")
    if model.rows_digest != evidence.rows_digest:
        raise EvaluationError(
            f"{who} was scored on the rows {model.rows_digest[:12]}, the report is about the rows"
            f" {evidence.rows_digest[:12]}; evaluate again on one set of rows"
        )
    score = model.score(metric.name)
    if score is None:
        raise EvaluationError(f"{who} has no {metric.name}: {model.why_missing(metric.name)}")
    if not math.isfinite(score.value):
        raise EvaluationError(f"{metric.name} of {who} is {score.value}; a gate needs a finite number")
    if not metric.holds(score.value):
        raise EvaluationError(f"{metric.name} of {who} is {score.value:g}, outside its range {metric.range}")
    return score


def _usable_difference(metric: Metric, evidence: Evidence) -> Difference:
    found = [difference for difference in evidence.differences if difference.metric == metric.name]
    if not found:
        raise EvaluationError(f"the difference of {metric.name} from the champion is missing; evaluate again")
    difference = found[0]
    numbers = (difference.lower, difference.improvement, difference.upper)
    if not all(math.isfinite(limit) for limit in numbers):
        raise EvaluationError(
            f"the difference of {metric.name} is {numbers}; a gate needs finite confidence limits"
        )
    if not difference.lower <= difference.upper:
        raise EvaluationError(f"the confidence limits of {metric.name} are in the wrong order: {numbers}")
    return difference


def _words(gate: Gate) -> str:
    if isinstance(gate, ChampionGate):
        if gate.margin > 0:
            return f"{gate.metric} not worse than the champion's by {gate.margin:g}"
        return f"{gate.metric} better than the champion's"
    if gate.minimum is not None:
        return f"{gate.metric} at least {gate.minimum:g}"
    return f"{gate.metric} at most {gate.maximum}"


def _interval(lower: float, upper: float, confidence: float, *, sign: str = "") -> str:
    return f"{confidence * 100:g} % interval {limits(lower, upper, sign=sign)}"
