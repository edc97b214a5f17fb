"""Scores of groups of held-out rows: the declared ones, and weak ones that are searched for."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import Metric
from mlops_core.evaluation.examination import Examination, ExaminedModel, Finding
from mlops_core.evaluation.grouping import Groups, group
from mlops_core.evaluation.measurement import Attempt
from mlops_core.evaluation.measurement import measure as measure_models
from mlops_core.evaluation.row_losses import row_losses
from mlops_core.evaluation.sections import SliceEvaluation, SliceSection
from mlops_core.evaluation.weak_slices import find_weak_slices
from mlops_core.policies import EvaluationPolicy, SlicePolicy

_FEWEST_RESAMPLES, _MOST_RESAMPLES = 100, 200
_MOST_DRAWN_ROWS = 30_000_000
"""Rows drawn in all resamples of all slices and models: some seconds."""

_MOST_SEARCHED_VALUES = 20
_DECLARED_IN = "evaluation.slices.columns"


class _Slice(NamedTuple):
    """What is known of a slice before it is scored, and which rows score it."""

    blank: SliceEvaluation
    rows: np.ndarray


def measure(examination: Examination) -> Finding:
    """Score challenger and champion on each slice, both under the same resamples.

    Intervals come from 200 resamples at most, and from 100 where slices and rows are many.
    """
    evaluation = examination.pipeline.evaluation
    policy = evaluation.slices
    if policy is None:
        raise EvaluationError("evaluation.slices is not declared")
    features = examination.rows.features
    declared = [
        list(_slices(group(features, column, minimum_rows=policy.minimum_rows, declared_in=_DECLARED_IN)))
        for column in policy.columns
    ]
    found = list(_search(examination, policy)) if policy.weak_slices else []
    models = [model for model in (examination.challenger, examination.champion) if model is not None]
    large = [one for one in (*chain(*declared), *found) if len(one.rows) >= policy.minimum_rows]
    rows = sum(len(one.rows) for one in large) * len(models)
    resamples = min(evaluation.resamples, max(_FEWEST_RESAMPLES, _MOST_DRAWN_ROWS // max(1, rows)))
    cheaper = evaluation.model_copy(update={"resamples": min(resamples, _MOST_RESAMPLES)})
    slices: list[SliceEvaluation] = []
    for column in declared:
        scored = [_score(one, models, examination=examination, policy=cheaper) for one in column]
        slices += sorted(scored, key=lambda one: _badness(one, examination.pipeline.primary_metric))
    slices += [_score(one, models, examination=examination, policy=cheaper) for one in found]
    return Finding(
        document=SliceSection(
            slices=tuple(slices),
            minimum_rows=policy.minimum_rows,
            resamples=cheaper.resamples,
            searched_rows=examination.challenger.outcome.rows // 2 if policy.weak_slices else 0,
        )
    )


def _slices(groups: Groups) -> Iterator[_Slice]:
    for code, name in enumerate(groups.names):
        rows = np.flatnonzero(groups.codes == code)
        yield _Slice(SliceEvaluation(name=name, columns=(groups.column,), found=False, rows=len(rows)), rows)


def _search(examination: Examination, policy: SlicePolicy) -> Iterator[_Slice]:
    features = examination.rows.features
    names = dict.fromkeys([*examination.challenger.model.features, *policy.columns])
    weak_slices = find_weak_slices(
        [group(features, name, most=_MOST_SEARCHED_VALUES) for name in names],
        losses=row_losses(examination.challenger.outcome),
        most=policy.weak_slices,
        minimum_rows=policy.minimum_rows,
        seed=examination.pipeline.seed,
    )
    for weak in weak_slices:
        blank = SliceEvaluation(
            name=weak.name, columns=weak.columns, found=True, rows=len(weak.rows), excess_loss=weak.excess
        )
        yield _Slice(blank, weak.rows)


def _score(
    one: _Slice, models: Sequence[ExaminedModel], *, examination: Examination, policy: EvaluationPolicy
) -> SliceEvaluation:
    if policy.slices is None or len(one.rows) < policy.slices.minimum_rows:
        return one.blank
    challenger, *champion = measure_models(
        [Attempt(rows_digest="", outcome=model.outcome.take(one.rows)) for model in models],
        task=examination.pipeline.task,
        policy=policy,
        seed=examination.pipeline.seed,
    )
    return one.blank.model_copy(
        update={
            "scores": challenger.scores,
            "missing": challenger.missing,
            "champion_scores": champion[0].scores if champion else (),
        }
    )


def _badness(evaluation: SliceEvaluation, metric: Metric) -> tuple[bool, float]:
    values = [score.value for score in evaluation.scores if score.metric == metric.name]
    return not values, metric.improvement(values[0], over=0.0) if values else 0.0
