"""The challenger in the shadow of what was served: the last logged windows, scored again."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_core.data.labels import known_labels
from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.examination import Examination, Finding
from mlops_core.evaluation.measurement import Attempt, compare
from mlops_core.evaluation.measurement import measure as measure_models
from mlops_core.evaluation.outcome import Outcome
from mlops_core.evaluation.scores import Difference
from mlops_core.evaluation.sections import ChangedRow, ReplayedWindow, ReplaySection
from mlops_core.evaluation.served import ServedWindow, aligned_scores, served_windows
from mlops_core.models.loaded import LoadedModel, Predictions

_MOVED_DEVIATIONS = 0.1


def measure(examination: Examination) -> Finding:
    """Score the last logged windows again, and compare with what was served.

    Raises
    ------
    DataRejectedError
        If a window has another number of rows than was scored, or other keys; see ``served_windows``.
    CorruptedDataError
        If stored data differ from their digest.
    EvaluationError
        If the policy is not declared, or the challenger gives a score that is not finite.
    """
    policy = examination.pipeline.evaluation.replay
    if policy is None:
        raise EvaluationError("evaluation.replay is not declared")
    windows = served_windows(examination.pipeline, store=examination.store, last=policy.windows)
    replayed = [_replay(window, examination) for window in windows]
    rows = sum(one.document.rows for one in replayed)
    disagreeing = sum(one.document.disagreeing_rows for one in replayed)
    changes = [change for one in replayed for change in one.greatest_changes(policy.examples)]
    changes.sort(key=lambda change: (-abs(change.challenger - change.served), change.partition, change.key))
    document = ReplaySection(
        windows=tuple(one.document for one in replayed),
        disagreement=disagreeing / rows if rows else None,
        changes=tuple(changes[: policy.examples]),
    )
    return Finding(document=document)


@dataclass(frozen=True, kw_only=True)
class _Replayed:
    """A window's numbers, and of each row the score that changed most: the challenger's and the served."""

    document: ReplayedWindow
    keys: np.ndarray
    new: np.ndarray
    old: np.ndarray

    def greatest_changes(self, most: int) -> list[ChangedRow]:
        size = np.abs(self.new - self.old)
        places = np.argsort(-size, kind="stable")[:most]
        return [
            ChangedRow(
                partition=self.document.partition,
                key=str(self.keys[place]),
                served=float(self.old[place]),
                challenger=float(self.new[place]),
            )
            for place in places.tolist()
            if size[place] > 0
        ]


def _replay(window: ServedWindow, examination: Examination) -> _Replayed:
    model = examination.challenger.model
    ours = model.predict(window.rows.to_pandas())
    finite = np.isfinite(ours.scores).reshape(len(window.keys), -1).all(axis=1)
    if not finite.all():
        raise EvaluationError(
            f"the challenger gives no finite score to {int((~finite).sum())} of {len(finite)} rows of"
            f" {window.partition}"
        )
    new, old = aligned_scores(ours, classes=model.classes, served=window)
    # Of several probabilities the one that changed most stands for the row.
    column = np.abs(new - old).argmax(axis=1)[:, None]
    new, old = (np.take_along_axis(scores, column, axis=1)[:, 0] for scores in (new, old))
    labelled, differences = _differences(window, ours, examination)
    document = ReplayedWindow(
        partition=window.partition,
        version=window.version,
        rows=len(window.keys),
        disagreeing_rows=int(_disagree(ours, window, task=examination.pipeline.task).sum()),
        mean_change=float(np.abs(new - old).mean()),
        labelled_rows=labelled,
        trained_on=window.partition in examination.plan.split.training_partitions,
        differences=differences,
    )
    return _Replayed(document=document, keys=window.keys, new=new, old=old)


def _disagree(ours: Predictions, window: ServedWindow, *, task: Task) -> np.ndarray:
    served = window.predictions
    if task is Task.REGRESSION:
        moved: np.ndarray = np.abs(ours.scores - served.scores) > _MOVED_DEVIATIONS * served.scores.std()
        return moved
    # By Python's equality, as everywhere: 1, 1.0 and True are one class.
    pairs = zip(ours.labels.tolist(), served.labels.tolist(), strict=True)
    return np.fromiter((new != old for new, old in pairs), dtype=bool, count=len(ours.labels))


def _differences(
    window: ServedWindow, ours: Predictions, examination: Examination
) -> tuple[int, tuple[Difference, ...]]:
    """Return how many rows have a label, and what the challenger improves on them."""
    pipeline, model = examination.pipeline, examination.challenger.model
    labels = known_labels(pipeline, partition=window.partition, rows=window.rows)
    truth = pd.Series(window.keys).map(labels.values)
    places = np.flatnonzero(truth.notna().to_numpy())
    if not places.size:
        return 0, ()
    known = truth.iloc[places].infer_objects()
    outcomes = [
        Outcome.of(pipeline.task, truth=known, predictions=_take(one, places), classes=classes)
        for one, classes in ((ours, model.classes), (window.predictions, _served_classes(window, model)))
    ]
    attempts = [Attempt(rows_digest=window.partition, outcome=outcome) for outcome in outcomes]
    new, old = measure_models(attempts, task=pipeline.task, policy=pipeline.evaluation, seed=pipeline.seed)
    return len(places), compare(new, old, confidence=pipeline.evaluation.confidence)


def _take(predictions: Predictions, places: np.ndarray) -> Predictions:
    return Predictions(scores=predictions.scores[places], labels=predictions.labels[places])


def _served_classes(window: ServedWindow, model: LoadedModel) -> tuple[object, ...]:
    """Return the served scores' classes as they are in the target; their columns have only their texts."""
    if not window.classes:
        return model.classes
    known = {str(name): name for name in (*window.predictions.labels.tolist(), *model.classes)}
    return tuple(known.get(name, name) for name in window.classes)
