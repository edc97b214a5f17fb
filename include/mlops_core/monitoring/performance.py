"""How well a model did on a window, once the labels are there."""

import math
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from mlops_core.data.labels import Labels
from mlops_core.errors import EvaluationError
from mlops_core.evaluation.bootstrap import resample, score_interval
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.report import Score
from mlops_core.models.loaded import Predictions
from mlops_core.monitoring.profile import ReferenceProfile
from mlops_core.monitoring.report import Finding, FindingKind, PerformanceReport, PerformanceVerdict
from mlops_core.pipeline import Pipeline
from mlops_core.predictions import KEY_COLUMN, LABEL_COLUMN


def judge_performance(
    pipeline: Pipeline, *, predictions: pa.Table, labels: Labels, profile: ReferenceProfile
) -> PerformanceReport:
    """Compare the primary metric on the labelled rows with the reference's.

    A loss needs the whole bootstrap interval to be worse than the reference by more than the policy's margin.
    Where labels or rows are too few, or the metric is undefined on them, the answer is that data are
    insufficient.

    Parameters
    ----------
    predictions
        The window's table of batch predictions.
    """
    policy, metric = pipeline.monitor, pipeline.primary_metric
    frame = predictions.to_pandas()
    truth = frame[KEY_COLUMN].map(labels.values) if len(frame) else pd.Series(dtype=object)
    known = truth.notna().to_numpy()
    labelled = int(known.sum())
    reference = profile.metric(metric.name)
    counts = _Counts(
        metric=metric.name,
        reference=None if reference is None else reference.value,
        scored=len(frame),
        labelled=labelled,
        ambiguous=labels.ambiguous,
    )
    shortage = _shortage(counts, pipeline)
    if shortage or reference is None:
        return counts.report(PerformanceVerdict.INSUFFICIENT_DATA, shortage)
    try:
        score = _score(pipeline, frame[known], truth=truth[known].infer_objects(), profile=profile)
    except EvaluationError as error:
        return counts.report(PerformanceVerdict.INSUFFICIENT_DATA, f"{metric.name}: {error}")
    best = score.upper if metric.greater_is_better else score.lower
    gain = metric.improvement(best, over=reference.value)
    is_loss = gain < -policy.performance_margin
    reason = (
        f"{metric.name} is {score.value:.4f} ({score.lower:.4f} to {score.upper:.4f}) on {labelled} labelled"
        f" rows: {'all' if is_loss else 'not all'} of the interval is worse than the reference's"
        f" {reference.value:.4f} by more than {policy.performance_margin:g}"
    )
    return counts.report(
        PerformanceVerdict.LOSS if is_loss else PerformanceVerdict.NO_LOSS, reason, score=score
    )


@dataclass(frozen=True, kw_only=True)
class _Counts:
    metric: str
    reference: float | None
    scored: int
    labelled: int
    ambiguous: int

    @property
    def coverage(self) -> float:
        return self.labelled / self.scored if self.scored else 0.0

    def report(
        self, verdict: PerformanceVerdict, reason: str, *, score: Score | None = None
    ) -> PerformanceReport:
        findings = []
        if self.ambiguous:
            message = f"{self.ambiguous} keys have several labels that differ; they count as unlabelled"
            findings.append(Finding(kind=FindingKind.AMBIGUOUS_LABELS, message=message))
        if verdict is PerformanceVerdict.LOSS:
            findings.append(Finding(kind=FindingKind.PERFORMANCE_LOSS, message=reason))
        return PerformanceReport(
            verdict=verdict,
            reason=reason,
            metric=self.metric,
            reference=self.reference,
            value=None if score is None else score.value,
            lower=None if score is None else score.lower,
            upper=None if score is None else score.upper,
            scored_rows=self.scored,
            labelled_rows=self.labelled,
            coverage=self.coverage,
            findings=tuple(findings),
        )


def _shortage(counts: _Counts, pipeline: Pipeline) -> str:
    policy = pipeline.monitor
    if counts.reference is None:
        return f"the reference profile has no {counts.metric} to compare with; train and register again"
    if counts.coverage < policy.minimum_label_coverage:
        return (
            f"{counts.labelled} of {counts.scored} scored rows have a label ({counts.coverage:.0%});"
            f" {policy.minimum_label_coverage:.0%} are needed"
        )
    if counts.labelled < policy.minimum_rows:
        return f"{counts.labelled} rows have a label; {policy.minimum_rows} are needed"
    return ""


def _score(pipeline: Pipeline, frame: pd.DataFrame, *, truth: pd.Series, profile: ReferenceProfile) -> Score:
    names = [column.name for column in profile.scores]
    absent = [name for name in (*names, LABEL_COLUMN) if name not in frame.columns]
    if absent:
        raise EvaluationError(f"the predictions lack {', '.join(absent)}")
    scores = frame[names].to_numpy(dtype=float)
    predictions = Predictions(
        scores=scores[:, 0] if len(names) == 1 else scores, labels=frame[LABEL_COLUMN].to_numpy()
    )
    metric, policy = pipeline.primary_metric, pipeline.evaluation
    outcome = Outcome.of(pipeline.task, truth=truth, predictions=predictions, classes=profile.classes)
    value = metric.compute(outcome)
    if not math.isfinite(value) or not metric.holds(value):
        raise EvaluationError(f"its value {value:g} lies outside the range {metric.range}")
    replicates = resample([outcome], metrics=[metric], resamples=policy.resamples, seed=pipeline.seed)[0]
    lower, upper = score_interval(
        metric, value=value, replicates=replicates[metric.name], confidence=policy.confidence
    )
    return Score(metric=metric.name, value=value, lower=lower, upper=upper)
