"""Scores and differences that a judge may trust; every doubt is an EvaluationError."""

import math

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import Metric
from mlops_core.evaluation.judges.evidence import Evidence
from mlops_core.evaluation.report import ModelEvaluation
from mlops_core.evaluation.scores import Difference, Score
from mlops_core.evaluation.wording import limits


def usable_score(metric: Metric, model: ModelEvaluation, evidence: Evidence, *, who: str) -> Score:
    """Return the model's score if it can be trusted."""
    if not evidence.holdout_rows > 0:
        raise EvaluationError("no held-out row was scored; a gate needs at least one")
    if model.rows_digest != evidence.rows_digest:
        raise EvaluationError(
            f"{who} was scored on the rows {model.rows_digest[:12]}, the report is about the rows"
            f" {evidence.rows_digest[:12]}; evaluate again on one set of rows, which no model may change"
        )
    score = model.score(metric.name)
    if score is None:
        raise EvaluationError(f"{who} has no {metric.name}: {model.why_missing(metric.name)}")
    if not math.isfinite(score.value):
        raise EvaluationError(f"{metric.name} of {who} is {score.value}; a gate needs a finite number")
    if not metric.holds(score.value):
        raise EvaluationError(f"{metric.name} of {who} is {score.value:g}, outside its range {metric.range}")
    return score


def usable_difference(metric: Metric, evidence: Evidence) -> Difference:
    """Return the difference from the champion if it can be trusted."""
    found = [difference for difference in evidence.differences if difference.metric == metric.name]
    if not found:
        raise EvaluationError(
            f"the difference of {metric.name} from the champion is missing{_why_missing(evidence)}"
        )
    difference = found[0]
    numbers = (difference.lower, difference.improvement, difference.upper)
    if not all(math.isfinite(limit) for limit in numbers):
        raise EvaluationError(
            f"the difference of {metric.name} is {numbers}; a gate needs finite confidence limits"
        )
    if not difference.lower <= difference.upper:
        raise EvaluationError(f"the confidence limits of {metric.name} are in the wrong order: {numbers}")
    return difference


def _why_missing(evidence: Evidence) -> str:
    comparison = evidence.comparison
    if comparison is None or not comparison.is_corrected:
        return "; evaluate again"
    return (
        f": it is undefined in some of the {comparison.resamples:,} resamples that the best of"
        f" {comparison.candidates} candidates takes; hold out more rows, or declare fewer candidates"
    )


def interval(lower: float, upper: float, confidence: float, *, sign: str = "") -> str:
    """Write a confidence interval, for example ``95 % interval 0.7520 to 0.7654``."""
    return f"{confidence * 100:g} % interval {limits(lower, upper, sign=sign)}"
