"""Trees that the shap library explains, and those that are left to the other way."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, PolynomialFeatures
from sklearn.tree import DecisionTreeClassifier

from evaluation_examples import BINARY, MULTICLASS, REGRESSION
from mlops_core.evaluation import tree_attribution
from mlops_core.evaluation.attribution import Attribution, attribute
from mlops_core.evaluation.catalogue import Task
from mlops_core.models.frames import conform, feature_types
from mlops_core.models.loaded import LoadedModel

RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "x": RANDOM.normal(size=200),
        "carrier": RANDOM.choice(["AA", "UA", "HA"], size=200),
        "y": RANDOM.normal(size=200),
    }
)
SIGNAL = FRAME["x"] + 2 * (FRAME["carrier"] == "AA") * FRAME["y"]


def fitted(estimator: Any, *, task: Task, encoder: Any = None, frame: pd.DataFrame = FRAME) -> LoadedModel:
    encode = ColumnTransformer([("text", encoder or OneHotEncoder(), ["carrier"])], remainder="passthrough")
    target = {
        BINARY: SIGNAL > 0.5,
        MULTICLASS: pd.cut(SIGNAL, [-np.inf, 0, 1, np.inf], labels=False),
        REGRESSION: SIGNAL,
    }[task]
    types = feature_types(frame)
    model = Pipeline([("encode", encode), ("trees", estimator)]).fit(conform(frame, types), target)
    return LoadedModel.of(model, task=task, features=types, input_example=frame.head(), digest="ab" * 32)


def attributed(model: LoadedModel, frame: pd.DataFrame = FRAME) -> Attribution:
    found = attribute(model, frame.iloc[:20], background=frame.iloc[50:80], orders=1, seed=0)
    assert found.values.sum(axis=1) + found.base == pytest.approx(found.scores, abs=1e-6)
    return found


TREES = {
    "boosted": (HistGradientBoostingClassifier(max_iter=10, random_state=0), BINARY),
    "forest": (RandomForestClassifier(n_estimators=5, random_state=0), BINARY),
    "several classes": (RandomForestClassifier(n_estimators=5, random_state=0), MULTICLASS),
    "regression": (RandomForestRegressor(n_estimators=5, random_state=0), REGRESSION),
}


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "task"), TREES.values(), ids=TREES.keys())
def test_trees_are_explained_exactly_and_columns_of_one_feature_together(estimator: Any, task: Task) -> None:
    model = fitted(estimator, task=task)

    found = attributed(model)

    assert found.method == "tree SHAP, exact over 30 background rows"
    assert found.features == ("x", "carrier", "y")
    assert (np.abs(found.values).mean(axis=(0, 2)) > 0.01).all()


def test_exact_values_are_what_many_orders_come_to(monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted(
        RandomForestRegressor(n_estimators=5, random_state=0), task=REGRESSION, encoder=OrdinalEncoder()
    )
    exact = attributed(model)
    monkeypatch.setattr("mlops_core.evaluation.attribution.explain_trees", lambda *_, **__: None)

    found = attribute(model, FRAME.iloc[:20], background=FRAME.iloc[50:80], orders=30, seed=0)

    assert found.method.startswith("permutation SHAP, 30 random orders")
    assert found.values == pytest.approx(exact.values, abs=0.1)
    assert np.corrcoef(found.values.ravel(), exact.values.ravel())[0, 1] > 0.999


def test_trees_with_missing_values_are_explained_by_permutation() -> None:
    gaps = FRAME.assign(x=FRAME["x"].where(np.arange(200) % 3 > 0))

    found = attributed(fitted(HistGradientBoostingClassifier(max_iter=10), task=BINARY, frame=gaps), gaps)

    assert found.method.startswith("permutation SHAP")


def test_columns_made_of_several_features_are_explained_by_permutation() -> None:
    mixed = Pipeline([("number", OrdinalEncoder()), ("mix", PolynomialFeatures())])
    encode = ColumnTransformer([("all", mixed, ["carrier", "x"])], remainder="passthrough")
    types = feature_types(FRAME)
    model = Pipeline([("encode", encode), ("trees", DecisionTreeClassifier(max_depth=3))])
    model.fit(conform(FRAME, types), SIGNAL > 0.5)
    loaded = LoadedModel.of(model, task=BINARY, features=types, input_example=FRAME.head(), digest="ab" * 32)

    assert attributed(loaded).method.startswith("permutation SHAP")


def test_values_of_the_library_that_do_not_add_up_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    true_values = tree_attribution._explain
    monkeypatch.setattr(
        tree_attribution, "_explain", lambda *rows, **options: true_values(*rows, **options) + 1e-4
    )

    found = attributed(fitted(RandomForestClassifier(n_estimators=5, random_state=0), task=BINARY))

    assert found.method.startswith("permutation SHAP")


def test_boosted_trees_of_several_classes_are_explained_by_permutation() -> None:
    found = attributed(fitted(HistGradientBoostingClassifier(max_iter=3), task=MULTICLASS))

    assert found.method.startswith("permutation SHAP")
    assert found.values.shape == (20, 3, 3)
