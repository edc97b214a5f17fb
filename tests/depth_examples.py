"""Examinations of planted outcomes, and sections with planted numbers, all in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from evaluation_examples import RECORD, planted_model
from examination_examples import pipeline
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.examination import Examination, ExaminedModel
from mlops_core.evaluation.holdout import HeldOutRows
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.scores import Score
from mlops_core.evaluation.sections import (
    AttributeFairness,
    FairnessScore,
    FairnessSection,
    GroupRates,
    SliceEvaluation,
    SliceSection,
)
from mlops_core.models.frames import feature_types
from mlops_core.models.loaded import LoadedModel
from mlops_core.pipeline import EvaluationPolicy

CLASSES: dict[Task, tuple[Any, ...]] = {
    Task.BINARY_CLASSIFICATION: ("on time", "late"),
    Task.MULTICLASS_CLASSIFICATION: ("a", "b", "c"),
    Task.REGRESSION: (),
}


def outcome_of(task: Task, truth: Sequence[Any], scores: Any, *, labels: Any = None) -> Outcome:
    """Truth and labels are numbers of classes."""
    values = np.asarray(scores, dtype=float)
    if labels is None:
        labels = values >= 0.5 if task is Task.BINARY_CLASSIFICATION else values
        labels = values.argmax(axis=1) if task is Task.MULTICLASS_CLASSIFICATION else labels
    kind = float if task is Task.REGRESSION else int
    return Outcome(
        task=task,
        truth=np.asarray(truth, dtype=kind),
        scores=values,
        labels=np.asarray(labels, dtype=kind),
        classes=CLASSES[task],
    )


def planted_examination(
    columns: Mapping[str, Any],
    policy: EvaluationPolicy,
    outcome: Outcome,
    *,
    champion: Outcome | None = None,
    features: Sequence[str] | None = None,
    **fields: Any,
) -> Examination:
    """What is examined where the answers are planted; the model's features are all columns unless named."""
    frame = pd.DataFrame(dict(columns))
    model = planted_model(lambda rows: rows, task=outcome.task, classes=CLASSES[outcome.task])
    types = feature_types(frame if features is None else frame[list(features)])
    model = type(model)(**{**vars(model), "features": types})
    return examined(frame, policy, model=model, outcome=outcome, champion=champion, **fields)


def examined(
    frame: pd.DataFrame,
    policy: EvaluationPolicy,
    *,
    model: LoadedModel,
    outcome: Outcome,
    champion: Outcome | None = None,
    former: LoadedModel | None = None,
    **fields: Any,
) -> Examination:
    truth = outcome.truth if not outcome.classes else [outcome.classes[number] for number in outcome.truth]
    return Examination(
        pipeline=pipeline(policy, task=outcome.task, **fields),
        plan=None,
        rows=HeldOutRows(features=frame, truth=pd.Series(truth, name="late"), dropped=0),
        challenger=ExaminedModel(record=RECORD, model=model, outcome=outcome),
        champion=None
        if champion is None
        else ExaminedModel(record=RECORD, model=former or model, outcome=champion),
        store=None,
        tracking_uri="",
    )


def slice_score(value: float, *, metric: str = "roc_auc") -> Score:
    return Score.model_construct(metric=metric, value=value, lower=value - 0.1, upper=value + 0.1)


def one_slice(name: str, value: float | None = 0.8, **changes: Any) -> SliceEvaluation:
    """A declared slice of the column before the equals sign, with a planted ROC AUC."""
    fields = {
        "name": name,
        "columns": (name.partition(" = ")[0],),
        "found": False,
        "rows": 200,
        "scores": () if value is None else (slice_score(value),),
        "missing": (),
        "champion_scores": (),
        "excess_loss": None,
        **changes,
    }
    return SliceEvaluation.model_construct(**fields)


def slices(*evaluations: SliceEvaluation, minimum_rows: int = 100) -> SliceSection:
    return SliceSection.model_construct(
        slices=evaluations, minimum_rows=minimum_rows, resamples=200, searched_rows=500
    )


def group_rates(name: str, *, rows: int = 100, compared: bool = True) -> GroupRates:
    return GroupRates.model_construct(
        group=name,
        rows=rows,
        selection_rate=0.5,
        true_positive_rate=0.75,
        false_positive_rate=None,
        compared=compared,
    )


def fairness_score(
    value: float, *, measure: str = "equalized_odds_difference", **changes: Any
) -> FairnessScore:
    fields = {"measure": measure, "value": value, "lower": value, "upper": value, "of_class": None, **changes}
    return FairnessScore.model_construct(**fields)


def attribute(*scores: FairnessScore, name: str = "origin", **changes: Any) -> AttributeFairness:
    fields = {
        "attribute": name,
        "groups": (group_rates("EWR"), group_rates("JFK"), group_rates("LGA", rows=7, compared=False)),
        "rates_of": "late",
        "scores": scores,
        "champion_scores": (),
        "missing": (),
        **changes,
    }
    return AttributeFairness.model_construct(**fields)


def fairness(*attributes: AttributeFairness) -> FairnessSection:
    return FairnessSection.model_construct(attributes=attributes, minimum_rows=50)
