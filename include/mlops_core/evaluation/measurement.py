"""Models scored on one set of rows: point values, intervals, and paired differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.bootstrap import improvements, interval, resample, score_interval
from mlops_core.evaluation.catalogue import Metric, Task, find_metric, metrics_for
from mlops_core.evaluation.holdout import HeldOutRows
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.scores import Comparison, Difference, MissingScore, Score
from mlops_core.models.loaded import LoadedModel
from mlops_core.pipeline import EvaluationPolicy


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One model's answer to the rows: an outcome, or the problem that left it without one."""

    rows_digest: str
    outcome: Outcome | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One model's scores, why others are missing, and the bootstrap values behind the intervals."""

    attempt: Attempt
    scores: tuple[Score, ...]
    missing: tuple[MissingScore, ...]
    replicates: Mapping[str, np.ndarray] = field(default_factory=dict)

    def value(self, metric: Metric) -> float | None:
        """Return the point value of that metric if there is one."""
        return next((score.value for score in self.scores if score.metric == metric.name), None)


def attempt(model: LoadedModel, *, rows: HeldOutRows, task: Task) -> Attempt:
    """Let a model predict the rows, and check what it answers.

    A model that cannot, or answers what no metric can use, is left without an outcome: its gates then refuse
    it with the problem's words, and the other models are still measured. It gets a copy of the rows, so that
    what it does to them is done to its own alone; the attempt has the digest of that copy as it left it.
    """
    if model.task is not task:
        problem = f"it does {model.task.value}, and the pipeline asks for {task.value}"
        return Attempt(rows_digest=rows.digest(), problem=problem)
    rows = rows.copy()
    try:
        predictions = model.predict(rows.features)
        outcome = Outcome.of(task, truth=rows.truth, predictions=predictions, classes=model.classes)
    except Exception as error:  # noqa: BLE001  a model is anyone's code and may raise anything
        reason = str(error) if isinstance(error, EvaluationError) else f"{type(error).__name__}: {error}"
        return Attempt(rows_digest=rows.digest(), problem=f"it cannot score the rows: {reason}"[:1000])
    return Attempt(rows_digest=rows.digest(), outcome=outcome)


def measure(
    attempts: Sequence[Attempt], *, task: Task, policy: EvaluationPolicy, seed: int
) -> list[Measurement]:
    """Compute every metric of every model, all under the same resamples of the rows.

    Parameters
    ----------
    attempts
        Of the same rows in the same order.
    task
        Its metrics are computed.
    policy
        How many resamples, and the confidence of the intervals.
    seed
        Of the resamples.

    Returns
    -------
    In the order of the attempts.
    """
    metrics = metrics_for(task)
    outcomes = [attempt.outcome for attempt in attempts if attempt.outcome is not None]
    replicates = iter(resample(outcomes, metrics=metrics, resamples=policy.resamples, seed=seed))
    return [
        _measure_one(
            attempt,
            metrics=metrics,
            replicates={} if attempt.outcome is None else next(replicates),
            confidence=policy.confidence,
        )
        for attempt in attempts
    ]


def compare(challenger: Measurement, champion: Measurement, *, confidence: float) -> tuple[Difference, ...]:
    """Return the paired difference of every metric that both models have."""
    differences = []
    for score in challenger.scores:
        metric = find_metric(score.metric)
        former = champion.value(metric)
        if former is None:
            continue
        paired = improvements(metric, new=challenger.replicates, over=champion.replicates)
        lower, upper = interval(paired, confidence=confidence)
        improvement = metric.improvement(score.value, over=former)
        differences.append(Difference(metric=metric.name, improvement=improvement, lower=lower, upper=upper))
    return tuple(differences)


def compare_best(
    best: Measurement,
    champion: Measurement,
    *,
    candidates: int,
    task: Task,
    policy: EvaluationPolicy,
    seed: int,
) -> tuple[Comparison, tuple[Difference, ...]]:
    """Compare the best of several candidates with the champion, as strictly as the choice asks for.

    Parameters
    ----------
    candidates
        How many were ranked on these rows.
    """
    strict = policy.for_best_of(candidates)
    if candidates > 1:
        best, champion = measure([best.attempt, champion.attempt], task=task, policy=strict, seed=seed)
    comparison = Comparison(candidates=candidates, confidence=strict.confidence, resamples=strict.resamples)
    return comparison, compare(best, champion, confidence=strict.confidence)


def _measure_one(
    attempt: Attempt, *, metrics: Sequence[Metric], replicates: Mapping[str, np.ndarray], confidence: float
) -> Measurement:
    scores: list[Score] = []
    missing: list[MissingScore] = []
    outcome = attempt.outcome
    if outcome is None:
        absent = tuple(MissingScore(metric=metric.name, reason=attempt.problem) for metric in metrics)
        return Measurement(attempt=attempt, scores=(), missing=absent)
    for metric in metrics:
        try:
            values = replicates[metric.name]
            scores.append(_score(metric, outcome, replicates=values, confidence=confidence))
        except EvaluationError as error:
            missing.append(MissingScore(metric=metric.name, reason=str(error)))
    return Measurement(attempt=attempt, scores=tuple(scores), missing=tuple(missing), replicates=replicates)


def _score(metric: Metric, outcome: Outcome, *, replicates: np.ndarray, confidence: float) -> Score:
    value = metric.compute(outcome)
    if not np.isfinite(value):
        raise EvaluationError(f"its value is {value}, which is no finite number")
    if not metric.holds(value):
        raise EvaluationError(f"its value {value:g} lies outside the range {metric.range}")
    lower, upper = score_interval(metric, value=value, replicates=replicates, confidence=confidence)
    return Score(metric=metric.name, value=value, lower=lower, upper=upper)
