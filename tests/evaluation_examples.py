"""Outcomes, models and evidence of known quality, for tests of the evaluation."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.gates import Evidence
from mlops_core.evaluation.holdout import HeldOutRows
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.report import CandidateEvaluation, ChampionEvaluation, Difference, Score
from mlops_core.models.loaded import LoadedModel, Predictions
from mlops_core.models.record import ModelRecord

BINARY, MULTICLASS, REGRESSION = (
    Task.BINARY_CLASSIFICATION,
    Task.MULTICLASS_CLASSIFICATION,
    Task.REGRESSION,
)
RECORD = ModelRecord(run_id="run", model_id="m-1", uri="models:/m-1", digest="ab" * 32)
ROWS_DIGEST = "12" * 32


def binary_outcome(truth: Sequence[int], scores: Sequence[float], *, threshold: float = 0.5) -> Outcome:
    values = np.asarray(scores, dtype=float)
    return Outcome(
        task=BINARY,
        truth=np.asarray(truth),
        scores=values,
        labels=(values >= threshold).astype(int),
        classes=("no", "yes"),
    )


def random_outcome(task: Task, *, rows: int = 300, seed: int = 0, ties: bool = True) -> Outcome:
    """A model that is somewhat right; with ties, its scores are rounded."""
    random = np.random.default_rng(seed)
    if task is REGRESSION:
        truth = random.normal(size=rows) + 50
        scores = truth + random.normal(size=rows)
        return Outcome(task=task, truth=truth, scores=scores, labels=scores)
    classes = 2 if task is BINARY else 4
    truth = random.integers(classes, size=rows)
    logits = random.normal(size=(rows, classes)) + np.eye(classes)[truth]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if ties:
        scores = np.round(scores, 1) + 0.01
        scores /= scores.sum(axis=1, keepdims=True)
    return Outcome(
        task=task,
        truth=truth,
        scores=scores[:, 1] if task is BINARY else scores,
        labels=scores.argmax(axis=1),
        classes=tuple("abcd"[:classes]),
    )


class StubEstimator:
    """Answers what a test planted, whatever the rows are."""

    def __init__(self, answer: Callable[[pd.DataFrame], Predictions]) -> None:
        self.answer = answer


class PlantedModel(LoadedModel):
    """A loaded model whose predictions a test chooses."""

    def predict(self, frame: pd.DataFrame) -> Predictions:
        answer: Predictions = self.estimator.answer(frame)
        return answer


def planted_model(
    answer: Callable[[pd.DataFrame], Predictions],
    *,
    task: Task = BINARY,
    classes: tuple[Any, ...] = (0, 1),
    digest: str = "ab" * 32,
) -> PlantedModel:
    return PlantedModel(
        task=task,
        features={"x": "double"},
        classes=classes,
        input_example=pd.DataFrame({"x": [0.0]}),
        digest=digest,
        estimator=StubEstimator(answer),
    )


def answering(scores: object, labels: object = None) -> Callable[[pd.DataFrame], Predictions]:
    """Return a planted answer; labels follow from binary scores if left out."""
    values = np.asarray(scores, dtype=float)
    chosen = (values >= 0.5).astype(int) if labels is None else np.asarray(labels)
    return lambda frame: Predictions(scores=values, labels=chosen)  # noqa: ARG005  it looks at no row


def held_out(truth: Sequence[object], **columns: Sequence[object]) -> HeldOutRows:
    """Rows with one feature ``x``, from 0 to 1 in order, unless other columns are given."""
    features = columns or {"x": np.linspace(0, 1, len(truth))}
    return HeldOutRows(features=pd.DataFrame(features), truth=pd.Series(truth, name="late"), dropped=0)


def score(value: float, *, metric: str = "roc_auc") -> Score:
    """A score with an interval about it, not validated, so that it may hold what a score may not."""
    return Score.model_construct(metric=metric, value=value, lower=value - 0.01, upper=value + 0.01)


def candidate(*scores: Score, **changes: Any) -> CandidateEvaluation:
    fields = {
        "candidate": "trees",
        "run_id": "run",
        "model": RECORD,
        "rows_digest": ROWS_DIGEST,
        "scores": scores,
        **changes,
    }
    return CandidateEvaluation.model_construct(**fields)


def champion(*scores: Score, **changes: Any) -> ChampionEvaluation:
    fields = {"version": 3, "model": RECORD, "rows_digest": ROWS_DIGEST, "scores": scores, **changes}
    return ChampionEvaluation.model_construct(**fields)


def difference(improvement: float, lower: float, upper: float, *, metric: str = "roc_auc") -> Difference:
    return Difference.model_construct(metric=metric, improvement=improvement, lower=lower, upper=upper)


def evidence(**changes: Any) -> Evidence:
    """A challenger with ROC AUC 0.8 on a thousand rows, without a champion."""
    fields = {
        "challenger": candidate(score(0.8)),
        "champion": None,
        "differences": (),
        "holdout_rows": 1000,
        "rows_digest": ROWS_DIGEST,
        "confidence": 0.95,
        **changes,
    }
    return Evidence(**fields)
