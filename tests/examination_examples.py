"""Examinations of small planted models over snapshots on disk, for tests of an evaluation's parts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from evaluation_examples import PlantedModel, StubEstimator
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.examination import Examination, ExaminedModel
from mlops_core.evaluation.holdout import read_holdout
from mlops_core.evaluation.outcome import Outcome
from mlops_core.models.frames import conform
from mlops_core.models.loaded import LoadedModel, Predictions
from mlops_core.models.record import ModelRecord
from mlops_core.pipeline import AbsoluteGate, Candidate, EvaluationPolicy, Pipeline
from mlops_core.training.job import TrainingPlan, TrainJob
from mlops_core.training.split import holdout_split

Answer = Callable[[pd.DataFrame], Predictions]
GATES = {
    Task.BINARY_CLASSIFICATION: AbsoluteGate(metric="roc_auc", minimum=0.5),
    Task.MULTICLASS_CLASSIFICATION: AbsoluteGate(metric="accuracy", minimum=0.1),
    Task.REGRESSION: AbsoluteGate(metric="mae", maximum=100.0),
}


def pipeline(policy: EvaluationPolicy, *, task: Task = Task.BINARY_CLASSIFICATION, **fields: Any) -> Pipeline:
    declared: dict[str, Any] = {
        "name": "flights",
        "task": task,
        "loader": "json:loads",
        "target": "late",
        "candidates": (Candidate(name="planted", fit="json:loads"),),
        "gates": (GATES[task],),
        "evaluation": policy,
        **fields,
    }
    return Pipeline(**declared)


def planted(
    answer: Answer,
    *,
    features: Mapping[str, str],
    task: Task = Task.BINARY_CLASSIFICATION,
    classes: Sequence[Any] = (False, True),
) -> PlantedModel:
    """A model that answers what a test planted, of rows as models are given them."""
    return PlantedModel(
        task=task,
        features=dict(features),
        classes=() if task is Task.REGRESSION else tuple(classes),
        input_example=pd.DataFrame(),
        digest="ab" * 32,
        estimator=StubEstimator(lambda frame: answer(conform(frame, features))),
    )


def by_column(name: str) -> Answer:
    """A binary model whose score is one column's sigmoid, one half where it is missing."""

    def answer(frame: pd.DataFrame) -> Predictions:
        scores = 1 / (1 + np.exp(-frame[name].fillna(0.0).to_numpy()))
        return Predictions(scores=scores, labels=scores >= 0.5)

    return answer


def publish(
    store: SnapshotStore, partitions: Mapping[str, Mapping[str, Any]], *, name: str = "flights"
) -> None:
    for partition, columns in partitions.items():
        store.write_partition(name, partition, pa.table(dict(columns)))


def examination(
    declared: Pipeline,
    model: LoadedModel,
    *,
    store: SnapshotStore,
    tracking_uri: str = "http://mlflow",
    record: ModelRecord | None = None,
) -> Examination:
    """Let a model score the last partition of what is published, as an evaluation does."""
    snapshot = store.current(declared.name)
    split = holdout_split(store.partitions(snapshot), declared.split)
    rows = read_holdout(declared, snapshot=snapshot, split=split, store=store)
    job = TrainJob(
        pipeline=declared.name,
        reference="json:loads",
        candidate="planted",
        snapshot=snapshot,
        split=split,
        operation_key="train",
        tracking_uri=tracking_uri,
        data_uri="",
    )
    outcome = Outcome.of(
        declared.task, truth=rows.truth, predictions=model.predict(rows.features), classes=model.classes
    )
    stored = record or ModelRecord(run_id="run", model_id="m-1", uri="models:/m-1", digest="ab" * 32)
    return Examination(
        pipeline=declared,
        plan=TrainingPlan(pipeline=declared.name, snapshot=snapshot, split=split, jobs=(job,)),
        rows=rows,
        challenger=ExaminedModel(record=stored, model=model, outcome=outcome),
        champion=None,
        store=store,
        tracking_uri=tracking_uri,
    )
