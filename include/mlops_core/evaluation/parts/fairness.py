"""How differently a classifier decides over the groups of each sensitive attribute."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

import numpy as np

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.bootstrap import interval
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.examination import Examination, Finding
from mlops_core.evaluation.group_rates import (
    Rates,
    compared_classes,
    is_ratio,
    measure_of,
    point_value,
    worst,
)
from mlops_core.evaluation.grouping import Groups, group
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.scores import MissingScore
from mlops_core.evaluation.sections import AttributeFairness, FairnessScore, FairnessSection, GroupRates
from mlops_core.gates import FairnessMeasure
from mlops_core.policies import EvaluationPolicy, FairnessPolicy

_MEASURES: tuple[FairnessMeasure, ...] = get_args(FairnessMeasure)


@dataclass(frozen=True, kw_only=True)
class _Compared:
    """The rows of those groups that are large enough, with their groups numbered anew, and as they were."""

    rows: np.ndarray
    codes: np.ndarray
    numbers: tuple[int, ...]
    labels: tuple[str, ...]


def measure(examination: Examination) -> Finding:
    """Compare the groups of every declared attribute, for the challenger and the champion.

    Raises
    ------
    EvaluationError
        If the model makes no decisions, or an attribute is no column of the held-out rows, or has more groups
        than can be compared.
    """
    if examination.pipeline.task is Task.REGRESSION:
        raise EvaluationError("fairness compares decisions; a regression makes none: leave it out")
    policy = examination.pipeline.evaluation.fairness
    if policy is None:
        raise EvaluationError("evaluation.fairness is not declared; name the sensitive columns")
    attributes = tuple(_attribute(name, examination, policy) for name in policy.sensitive)
    return Finding(document=FairnessSection(attributes=attributes, minimum_rows=policy.minimum_rows))


def _attribute(name: str, examination: Examination, policy: FairnessPolicy) -> AttributeFairness:
    groups = group(
        examination.rows.features,
        name,
        minimum_rows=policy.minimum_rows,
        declared_in="evaluation.fairness.sensitive",
    )
    compared = _compared(groups, minimum_rows=policy.minimum_rows)
    evaluation, seed = examination.pipeline.evaluation, examination.pipeline.seed
    outcome, champion = examination.challenger.outcome, examination.champion
    scores, missing = _scores(outcome, compared, policy=evaluation, seed=seed)
    former = () if champion is None else _scores(champion.outcome, compared, policy=evaluation, seed=seed)[0]
    worst_classes = [score.of_class for score in scores if score.of_class is not None]
    names = [str(outcome.classes[number]) for number in compared_classes(outcome)]
    shown = names.index(worst_classes[0]) if worst_classes else 0
    return AttributeFairness(
        attribute=name,
        groups=tuple(_rates(outcome, groups, shown=shown, compared=compared)),
        rates_of=names[shown],
        scores=scores,
        champion_scores=former,
        missing=missing,
    )


def _compared(groups: Groups, *, minimum_rows: int) -> _Compared:
    # Rare values together are a group of nobody in particular.
    large = np.setdiff1d(
        np.flatnonzero(groups.sizes >= minimum_rows), [-1 if groups.pooled is None else groups.pooled]
    )
    numbers = np.full(len(groups.labels), -1)
    numbers[large] = np.arange(len(large))
    rows = np.flatnonzero(numbers[groups.codes] >= 0)
    return _Compared(
        rows=rows,
        codes=numbers[groups.codes[rows]],
        numbers=tuple(large.tolist()),
        labels=tuple(groups.labels[number] for number in large.tolist()),
    )


def _rates(outcome: Outcome, groups: Groups, *, shown: int, compared: _Compared) -> Iterator[GroupRates]:
    rates = Rates.of(outcome, codes=groups.codes, groups=len(groups.labels))
    for number, label in enumerate(groups.labels):
        yield GroupRates(
            group=label,
            rows=int(groups.sizes[number]),
            selection_rate=_known(rates.selection[0, number, shown]),
            true_positive_rate=_known(rates.true_positive[0, number, shown]),
            false_positive_rate=_known(rates.false_positive[0, number, shown]),
            compared=number in compared.numbers,
        )


def _known(rate: float) -> float | None:
    return float(rate) if np.isfinite(rate) else None


def _scores(
    outcome: Outcome, compared: _Compared, *, policy: EvaluationPolicy, seed: int
) -> tuple[tuple[FairnessScore, ...], tuple[MissingScore, ...]]:
    count = len(compared.labels)
    if count < 2:
        named = f"the group {compared.labels[0]} alone has" if count else "no group has"
        few = f"{named} rows enough to be compared; a comparison takes two groups"
        return (), tuple(MissingScore(metric=measure, reason=few) for measure in _MEASURES)
    some = outcome.take(compared.rows)
    rates = Rates.resampled(some, codes=compared.codes, groups=count, resamples=policy.resamples, seed=seed)
    scores: list[FairnessScore] = []
    missing: list[MissingScore] = []
    for measure in _MEASURES:
        try:
            value, of_class = _point(some, compared, measure)
            lower, upper = interval(worst(measure, measure_of(measure, rates)), confidence=policy.confidence)
        except EvaluationError as error:
            missing.append(MissingScore(metric=measure, reason=str(error)))
            continue
        scores.append(
            FairnessScore(measure=measure, value=value, lower=lower, upper=upper, of_class=of_class)
        )
    return tuple(scores), tuple(missing)


def _point(outcome: Outcome, compared: _Compared, measure: FairnessMeasure) -> tuple[float, str | None]:
    """Return the worst class's value on all rows, and of several classes its name."""
    values = {
        number: point_value(measure, outcome, codes=compared.codes, labels=compared.labels, of_class=number)
        for number in compared_classes(outcome)
    }
    choose = min if is_ratio(measure) else max
    number = choose(values, key=lambda number: values[number])
    return values[number], str(outcome.classes[number]) if len(values) > 1 else None
