"""The challenger scored again on changed features: which perturbation costs it how much."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import Metric, metrics_for
from mlops_core.evaluation.examination import Examination, ExaminedModel, Finding
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.perturbing import perturbed_frames
from mlops_core.evaluation.scores import MissingScore
from mlops_core.evaluation.sections import PerturbedScore, RobustnessSection, perturbed_metric
from mlops_core.models.frames import conform
from mlops_core.pipeline import Pipeline

_WORST_COLUMNS = 3
"""Of the columns that are emptied one after the other, a metric keeps so many: those that cost it most."""

_LONGEST_REASON = 300


def measure(examination: Examination) -> Finding:
    """Score every metric under every declared perturbation.

    Raises
    ------
    DeclarationError
        If a perturbation names a column that it cannot change.
    EvaluationError
        If the policy is not declared.
    """
    policy = examination.pipeline.evaluation.robustness
    if policy is None:
        raise EvaluationError("evaluation.robustness is not declared")
    challenger = examination.challenger
    places = _sample(len(examination.rows.truth), at_most=policy.rows, seed=examination.pipeline.seed)
    types = challenger.model.features
    frame = conform(examination.rows.features.iloc[places], types).reset_index(drop=True)
    trial = _Trial(examination.pipeline, challenger, truth=examination.rows.truth.iloc[places], places=places)
    for number, perturbation in enumerate(policy.perturbations):
        seed = examination.pipeline.seed + number
        changed = perturbed_frames(perturbation, frame, types=types, seed=seed)
        if perturbation.kind == "absent":
            trial.keep_worst(trial.scored(name, rows) for name, rows in changed)
        else:
            for name, rows in changed:
                trial.keep(trial.scored(name, rows))
    document = RobustnessSection(rows=len(places), scores=tuple(trial.scores), missing=tuple(trial.missing))
    return Finding(document=document)


def _sample(rows: int, *, at_most: int, seed: int) -> np.ndarray:
    if rows <= at_most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, size=at_most, replace=False))


@dataclass(frozen=True, kw_only=True)
class _Values:
    """Each metric's value, or the words for why it has none."""

    values: Mapping[str, float]
    problems: Mapping[str, str]


class _Trial:
    """Scores frames, and compares them with the unchanged one."""

    def __init__(
        self, pipeline: Pipeline, challenger: ExaminedModel, *, truth: pd.Series, places: np.ndarray
    ) -> None:
        self.scores: list[PerturbedScore] = []
        self.missing: list[MissingScore] = []
        self._model = challenger.model
        self._task = pipeline.task
        self._truth = truth
        self._metrics = metrics_for(pipeline.task)
        self._before = _values(challenger.outcome.take(places), self._metrics)

    def scored(self, name: str, frame: pd.DataFrame) -> list[PerturbedScore | MissingScore]:
        """Return a score of every metric, or why there is none."""
        try:
            predictions = self._model.predict(frame)
            outcome = Outcome.of(
                self._task, truth=self._truth, predictions=predictions, classes=self._model.classes
            )
        except Exception as error:  # noqa: BLE001  a model is anyone's code and may raise anything
            problem = f"it cannot score the rows: {type(error).__name__}: {error}"[:_LONGEST_REASON]
            return [_missing(metric, name, problem) for metric in self._metrics]
        after = _values(outcome, self._metrics)
        return [self._compared(metric, name, after) for metric in self._metrics]

    def keep(self, found: Iterable[PerturbedScore | MissingScore]) -> None:
        """Keep scores, and what is missing."""
        for one in found:
            if isinstance(one, PerturbedScore):
                self.scores.append(one)
            else:
                self.missing.append(one)

    def keep_worst(self, columns: Iterable[Sequence[PerturbedScore | MissingScore]]) -> None:
        """Keep for each metric the columns that cost it most, and all that is missing."""
        found = [one for column in columns for one in column]
        self.keep(one for one in found if isinstance(one, MissingScore))
        for metric in self._metrics:
            own = [one for one in found if isinstance(one, PerturbedScore) and one.metric == metric.name]
            self.keep(sorted(own, key=lambda one: -one.loss)[:_WORST_COLUMNS])

    def _compared(self, metric: Metric, name: str, after: _Values) -> PerturbedScore | MissingScore:
        for one in (self._before, after):
            if metric.name in one.problems:
                return _missing(metric, name, one.problems[metric.name])
        value = after.values[metric.name]
        loss = 0.0 - metric.improvement(value, over=self._before.values[metric.name])
        return PerturbedScore(perturbation=name, metric=metric.name, value=value, loss=loss)


def _values(outcome: Outcome, metrics: Sequence[Metric]) -> _Values:
    values, problems = {}, {}
    for metric in metrics:
        try:
            value = metric.compute(outcome)
        except EvaluationError as error:
            problems[metric.name] = str(error)
            continue
        if metric.holds(value):
            values[metric.name] = value
        else:
            problems[metric.name] = f"its value {value:g} lies outside the range {metric.range}"
    return _Values(values=values, problems=problems)


def _missing(metric: Metric, name: str, reason: str) -> MissingScore:
    return MissingScore(metric=perturbed_metric(metric.name, perturbation=name), reason=reason)
