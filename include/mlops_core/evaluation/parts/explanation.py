"""Why the model predicts what it does: which features matter, and what made some rows' scores."""

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.attribution import Attribution, Effort, affordable, attribute
from mlops_core.evaluation.bars import Bar, bar_chart
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.examination import Examination, ExaminedModel, Finding
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.row_losses import row_losses
from mlops_core.evaluation.sections import (
    Contribution,
    ExplainedRow,
    ExplanationSection,
    FeatureImportance,
)
from mlops_core.models.frames import conform

_MOST_BARS = 20
_LONGEST_VALUE = 60

log = logging.getLogger(__name__)


class _Example(NamedTuple):
    row: int
    shown_as: str


class _Sample(NamedTuple):
    """Places of the rows that are explained and of those that stand for the average, and the effort."""

    rows: np.ndarray
    background: np.ndarray
    effort: Effort


def measure(examination: Examination) -> Finding:
    """Explain some held-out rows by SHAP values of the challenger's score, and of the champion's.

    Where features are many, fewer rows are explained than declared; the section says how many were.
    """
    policy = examination.pipeline.evaluation.explanation
    if policy is None:
        raise EvaluationError("evaluation.explanation is not declared")
    challenger, champion = examination.challenger, examination.champion
    sample = _sample(examination, rows=policy.rows, background_rows=policy.background_rows)
    chosen = examples(challenger.outcome, count=policy.examples)
    places = np.concatenate([sample.rows, [example.row for example in chosen]]).astype(np.intp)
    found = _attribute(challenger, places, sample, examination)
    former = None if champion is None else _attribute_champion(champion, sample, examination)
    importance, correlation = _importance(found, rows=len(sample.rows), former=former)
    explained = tuple(
        _explain(found, len(sample.rows) + number, example, examination)
        for number, example in enumerate(chosen)
    )
    files = {"importance.svg": _importance_chart(importance)}
    files |= {f"example-{number}.svg": _example_chart(row) for number, row in enumerate(explained, start=1)}
    return Finding(
        document=ExplanationSection(
            method=found.method,
            rows=len(sample.rows),
            importance=importance,
            rank_correlation=correlation,
            examples=explained,
        ),
        files=files,
    )


def examples(outcome: Outcome, *, count: int) -> tuple[_Example, ...]:
    """Choose rows that tell most: in turn the most certain, the least certain and the most wrong.

    A regression has no certainty: there they are the highest, the lowest and the most wrong.
    """
    losses, scores = row_losses(outcome), outcome.scores
    if outcome.task is Task.REGRESSION:
        ranked = {"highest": -scores, "lowest": scores}
    else:
        certainty = np.abs(scores - 0.5) if outcome.task is Task.BINARY_CLASSIFICATION else scores.max(axis=1)
        ranked = {"most certain": -certainty, "least certain": certainty}
    ranked["most wrong"] = -losses
    orders = {words: np.argsort(key, kind="stable").tolist() for words, key in ranked.items()}
    chosen: dict[int, _Example] = {}
    for turn in range(min(count, outcome.rows)):
        words = list(orders)[turn % len(orders)]
        row = next(place for place in orders[words] if place not in chosen)
        chosen[row] = _Example(row, words)
    return tuple(chosen.values())


def _sample(examination: Examination, *, rows: int, background_rows: int) -> _Sample:
    models = [model for model in (examination.challenger, examination.champion) if model is not None]
    held_out = len(examination.rows.truth)
    effort = affordable(
        features=max(len(model.model.features) for model in models),
        rows=min(rows, held_out),
        background_rows=min(background_rows, held_out),
    )
    generator = np.random.default_rng(examination.pipeline.seed)
    return _Sample(
        rows=np.sort(generator.choice(held_out, effort.rows, replace=False)),
        background=np.sort(generator.choice(held_out, effort.background_rows, replace=False)),
        effort=effort,
    )


def _attribute(
    examined: ExaminedModel, places: np.ndarray, sample: _Sample, examination: Examination
) -> Attribution:
    features = examination.rows.features
    return attribute(
        examined.model,
        features.iloc[places],
        background=features.iloc[sample.background],
        orders=sample.effort.orders,
        seed=examination.pipeline.seed,
    )


def _attribute_champion(
    champion: ExaminedModel, sample: _Sample, examination: Examination
) -> Attribution | None:
    try:
        return _attribute(champion, sample.rows, sample, examination)
    except Exception as error:  # a model is anyone's code; the challenger's explanation stands alone
        log.warning("the champion could not be explained", exc_info=error)
        return None


def _importance(
    found: Attribution, *, rows: int, former: Attribution | None
) -> tuple[tuple[FeatureImportance, ...], float | None]:
    mean = np.abs(found.values[:rows]).mean(axis=(0, 2))
    share = _shares(mean)
    theirs: dict[str, float] = {}
    if former is not None:
        of_former = _shares(np.abs(former.values).mean(axis=(0, 2)))
        theirs = dict(zip(former.features, of_former.tolist(), strict=True))
    order = np.argsort(-mean, kind="stable").tolist()
    importance = tuple(
        FeatureImportance(
            feature=found.features[place],
            mean_absolute=float(mean[place]),
            share=float(share[place]),
            champion_share=theirs.get(found.features[place]),
        )
        for place in order
    )
    return importance, _rank_correlation(importance)


def _shares(mean: np.ndarray) -> np.ndarray:
    total = mean.sum()
    # A model that says the same of every row uses no feature.
    return mean / total if total > 0 else np.zeros_like(mean)


def _rank_correlation(importance: Sequence[FeatureImportance]) -> float | None:
    from scipy.stats import spearmanr

    pairs = [(one.share, one.champion_share) for one in importance if one.champion_share is not None]
    if len(pairs) < 2 or any(len({pair[side] for pair in pairs}) < 2 for side in (0, 1)):
        return None
    return float(spearmanr(*zip(*pairs, strict=True)).statistic)


def _explain(found: Attribution, place: int, example: _Example, examination: Examination) -> ExplainedRow:
    outcome, model = examination.challenger.outcome, examination.challenger.model
    multiclass = outcome.task is Task.MULTICLASS_CLASSIFICATION
    shown = int(outcome.labels[example.row]) if multiclass else 0
    values = found.values[place, :, shown]
    row = conform(examination.rows.features.iloc[[example.row]], model.features)
    return ExplainedRow(
        row=example.row,
        score=float(found.scores[place, shown]),
        base=float(found.base[shown]),
        contributions=tuple(_contributions(row, values)),
        shown_as=example.shown_as,
        score_of=_score_of(outcome, shown, target=examination.pipeline.target),
        truth=str(examination.rows.truth.iloc[example.row])[:_LONGEST_VALUE],
    )


def _contributions(row: pd.DataFrame, values: np.ndarray) -> Iterator[Contribution]:
    for place in np.argsort(-np.abs(values), kind="stable").tolist():
        value = row.iloc[0, place]
        words = "missing" if pd.isna(value) else f"{value:.6g}" if isinstance(value, float) else str(value)
        yield Contribution(
            feature=str(row.columns[place]), value=words[:_LONGEST_VALUE], contribution=float(values[place])
        )


def _score_of(outcome: Outcome, shown: int, *, target: str) -> str:
    if outcome.task is Task.REGRESSION:
        return target
    number = shown if outcome.task is Task.MULTICLASS_CLASSIFICATION else 1
    return f"probability of {target} = {outcome.classes[number]}"


def _importance_chart(importance: Sequence[FeatureImportance]) -> bytes:
    shown = importance[:_MOST_BARS]
    return bar_chart([Bar(name=one.feature, value=one.share, mark=one.champion_share) for one in shown])


def _example_chart(row: ExplainedRow) -> bytes:
    shown = row.contributions[:_MOST_BARS]
    return bar_chart(
        [Bar(name=f"{one.feature} = {one.value}", value=one.contribution) for one in shown], sign="+"
    )
