"""A loaded model answers scores and labels by the columns' names."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.pipeline import Pipeline as Steps
from sklearn.preprocessing import FunctionTransformer

import toy_models
from mlops_core.errors import DataRejectedError
from mlops_core.evaluation.catalogue import Task
from mlops_core.models.loaded import LoadedModel
from mlops_core.pipeline import Pipeline
from mlops_core.training.rows import LabelledRows, labelled_rows

TABLE = toy_models.load("2013-02")


def fitted(pipeline: Pipeline) -> tuple[LoadedModel, LabelledRows]:
    rows = labelled_rows(TABLE, pipeline=pipeline)
    estimator = toy_models.fit_trees(rows.features, rows.target, seed=1)
    return wrap(estimator, rows, task=pipeline.task), rows


def wrap(estimator: object, rows: LabelledRows, *, task: Task = Task.BINARY_CLASSIFICATION) -> LoadedModel:
    return LoadedModel.of(
        estimator, task=task, features=rows.types, input_example=rows.features.head(3), digest="0" * 64
    )


def test_binary_scores_are_probabilities_of_the_second_class() -> None:
    model, rows = fitted(toy_models.BINARY)

    answer = model.predict(rows.features)

    assert model.classes == (False, True)
    np.testing.assert_array_equal(answer.scores, model.estimator.predict_proba(rows.features)[:, 1])
    np.testing.assert_array_equal(answer.labels, model.estimator.predict(rows.features))


def test_multiclass_scores_have_a_column_a_class() -> None:
    model, rows = fitted(toy_models.MULTICLASS)

    answer = model.predict(rows.features)

    assert model.classes == ("large", "middle", "small")
    assert answer.scores.shape == (len(rows.target), 3)
    assert set(answer.labels) <= set(model.classes)


def test_regression_scores_are_the_values() -> None:
    model, rows = fitted(toy_models.REGRESSION)

    answer = model.predict(rows.features)

    assert model.classes == ()
    np.testing.assert_array_equal(answer.scores, answer.labels)
    assert answer.scores.shape == rows.target.shape


def test_the_order_of_columns_and_further_columns_do_not_matter() -> None:
    model, rows = fitted(toy_models.BINARY)
    shuffled = rows.features[reversed(list(rows.features.columns))].assign(unknown="x")

    np.testing.assert_array_equal(model.predict(shuffled).scores, model.predict(rows.features).scores)


def test_a_whole_table_and_single_records_get_the_same_answers() -> None:
    model, _ = fitted(toy_models.BINARY)
    table = TABLE.to_pandas()
    together = model.predict(table).scores

    # As a server gets them: gaps are None, and each record has its own types.
    records = TABLE.slice(0, 30).to_pylist()
    alone = [model.predict(pd.DataFrame([record])).scores[0] for record in records]

    np.testing.assert_array_equal(alone, together[:30])


def test_a_missing_feature_is_named() -> None:
    model, rows = fitted(toy_models.BINARY)

    with pytest.raises(DataRejectedError, match="lack the features colour"):
        model.predict(rows.features.drop(columns="colour"))


def test_a_classifiers_own_threshold_decides_its_labels() -> None:
    rows = labelled_rows(TABLE, pipeline=toy_models.BINARY)
    trees = toy_models.fit_trees(rows.features, rows.target, seed=1)
    strict = FixedThresholdClassifier(trees, threshold=0.9).fit(rows.features, rows.target)

    answer = wrap(strict, rows).predict(rows.features)

    np.testing.assert_array_equal(answer.labels, answer.scores >= 0.9)


def test_the_transformation_runs_once_for_scores_and_labels() -> None:
    rows = labelled_rows(TABLE, pipeline=toy_models.BINARY)
    calls: list[int] = []

    def count(frame: pd.DataFrame) -> pd.DataFrame:
        calls.append(len(frame))
        return frame

    steps = Steps([("count", FunctionTransformer(count)), ("constant", DummyClassifier(strategy="prior"))])
    model = wrap(steps.fit(rows.features, rows.target), rows)
    calls.clear()

    model.predict(rows.features)

    assert calls == [len(rows.features)]
