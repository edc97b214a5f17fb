"""A metric on every declared slice that has enough rows, against a bound or the champion's value there."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import Metric, find_metric
from mlops_core.evaluation.judges.evidence import Answer, Evidence
from mlops_core.evaluation.judges.examined import examined
from mlops_core.evaluation.scores import Score
from mlops_core.evaluation.sections import SliceEvaluation
from mlops_core.evaluation.wording import number, number_beside
from mlops_core.gates import SliceGate

_MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class _Judged:
    """One slice: what was found there, and what was needed."""

    name: str
    value: float
    bound: float
    passed: bool
    former: float | None = None

    @property
    def words(self) -> str:
        against = "" if self.former is None else f" against {number(self.former)}"
        return f"{self.name} with {number_beside(self.value, self.bound)}{against}"

    @property
    def excess(self) -> float:
        """By how much the bound is passed; negative where it is not."""
        distance = abs(self.value - self.bound)
        return distance if self.passed else -distance


def words(gate: SliceGate) -> str:
    """Say what the gate asks for."""
    where = "every slice" if gate.columns is None else f"every slice of {', '.join(gate.columns)}"
    if gate.margin is not None:
        return f"{gate.metric} on {where} not worse than the champion's by more than {gate.margin:g}"
    bound = f"at least {gate.minimum:g}" if gate.minimum is not None else f"at most {gate.maximum}"
    return f"{gate.metric} on {where} {bound}"


def subject(gate: SliceGate) -> str:
    """Name what is judged."""
    return f"{gate.metric} by slice"


def judge(gate: SliceGate, evidence: Evidence) -> Answer:
    """Compare the point value of every slice with its bound; the worst one decides."""
    metric = find_metric(gate.metric)
    slices = _slices(gate, evidence)
    scores = [_usable(metric, one.scores, one, who="the challenger") for one in slices]
    if gate.margin is not None and evidence.champion is None:
        compared = f"{metric.name} of {len(slices)} slices is compared with nothing"
        return Answer(passed=True, reason=f"no champion yet: cold start; {compared}")
    judged = [_judge_one(gate, metric, one, score) for one, score in zip(slices, scores, strict=True)]
    worst = min(judged, key=lambda one: one.excess)
    return Answer(
        passed=all(one.passed for one in judged),
        value=worst.value,
        bound=worst.bound,
        reason=f"{metric.name} {_sentence(gate, judged, worst)}",
        evidence=f"sections/slices/{worst.name}/{metric.name}",
    )


def _sentence(gate: SliceGate, judged: Sequence[_Judged], worst: _Judged) -> str:
    failed = sorted((one for one in judged if not one.passed), key=lambda one: one.excess)
    if gate.margin is not None:
        yes = f"is not worse than the champion's by more than {gate.margin:g}"
        no = f"is worse than the champion's by more than {gate.margin:g}"
    elif gate.minimum is not None:
        yes, no = f"reaches the minimum {gate.minimum:g}", f"does not reach the minimum {gate.minimum:g}"
    else:
        yes, no = f"stays within the maximum {gate.maximum:g}", f"exceeds the maximum {gate.maximum:g}"
    if not failed:
        return f"{yes} on all {len(judged)} slices; the worst is {worst.words}"
    named = ", ".join(one.words for one in failed[:_MOST_NAMED])
    more = f" and {len(failed) - _MOST_NAMED} more" if len(failed) > _MOST_NAMED else ""
    return f"{no} on {len(failed)} of {len(judged)} slices: {named}{more}"


def _slices(gate: SliceGate, evidence: Evidence) -> list[SliceEvaluation]:
    """Return the declared slices that have enough rows; each column must have one."""
    if not evidence.holdout_rows > 0:
        raise EvaluationError("no held-out row was scored; a gate needs at least one")
    section = examined(evidence.sections.slices, part="slices", evidence=evidence)
    declared = [one for one in section.slices if not one.found]
    known = list(dict.fromkeys(column for one in declared for column in one.columns))
    asked = known if gate.columns is None else list(gate.columns)
    if not asked:
        raise EvaluationError("no slice was examined; declare evaluation.slices.columns")
    large = [
        one for one in declared if one.rows >= section.minimum_rows > 0 and set(one.columns) <= set(asked)
    ]
    for column in asked:
        if column not in known:
            listed = ", ".join(known) or "none"
            raise EvaluationError(f"no slice of {column!r} was examined; examined were {listed}")
        if not any(column in one.columns for one in large):
            raise EvaluationError(
                f"no slice of {column!r} has {section.minimum_rows} rows; hold out more rows or lower"
                " evaluation.slices.minimum_rows"
            )
    return large


def _usable(metric: Metric, scores: Sequence[Score], slice_: SliceEvaluation, *, who: str) -> Score:
    found = [score for score in scores if score.metric == metric.name]
    if len(found) != 1:
        reasons = (absent.reason for absent in slice_.missing if absent.metric == metric.name)
        why = next(reasons, "it was never computed") if who == "the challenger" else "it was never computed"
        raise EvaluationError(f"{who} has no {metric.name} on the slice {slice_.name}: {why}")
    if not metric.holds(found[0].value):
        raise EvaluationError(
            f"{metric.name} of {who} on the slice {slice_.name} is {found[0].value:g}; a gate needs a finite"
            f" number in {metric.range}"
        )
    return found[0]


def _judge_one(gate: SliceGate, metric: Metric, slice_: SliceEvaluation, score: Score) -> _Judged:
    former, bound, at_least = None, gate.minimum, True
    if gate.margin is not None:
        former = _usable(metric, slice_.champion_scores, slice_, who="the champion").value
        at_least = metric.greater_is_better
        bound = former - gate.margin if at_least else former + gate.margin
    elif gate.maximum is not None:
        bound, at_least = gate.maximum, False
    if bound is None:
        raise EvaluationError("the gate has no bound; give it a minimum, a maximum or a margin")
    passed = score.value >= bound if at_least else score.value <= bound
    return _Judged(name=slice_.name, value=score.value, bound=bound, passed=passed, former=former)
