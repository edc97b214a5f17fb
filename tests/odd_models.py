"""Candidates that behave badly, and one that lets a test act in the middle of a fit."""

# ruff: noqa: ARG001  every candidate has the same arguments

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import Pipeline as Steps

import toy_models
from mlops_core.pipeline import Candidate

fits: list[str] = []
"""Which of these were fitted, in order."""

during_fit: Callable[[], object] = list
"""What `fit_with_visitor` calls; a test replaces it."""


def fit_with_visitor(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Steps:
    fits.append("with_visitor")
    during_fit()
    return toy_models.fit_trees(features, target, seed=seed)


def fit_nothing(features: pd.DataFrame, target: pd.Series, *, seed: int) -> None:
    return None


def fit_unstorable(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Any:
    trees = toy_models.fit_trees(features, target, seed=seed)
    trees.note = Note()
    return trees


def fit_diverged(features: pd.DataFrame, target: pd.Series, *, seed: int) -> DummyRegressor:
    model = DummyRegressor(strategy="mean").fit(features, target)
    model.constant_ = np.full_like(model.constant_, np.inf)
    return model


def fit_rough(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Steps:
    """Change the arguments, which are the caller's."""
    features["amount"] = 0.0
    target[:] = ~target.to_numpy()
    return toy_models.fit_trees(features, target, seed=seed)


def fit_from_global_generators(features: pd.DataFrame, target: pd.Series, *, seed: int) -> DummyClassifier:
    drawn = [random.random(), float(np.random.random())]  # noqa: S311  what a careless fit does
    model = DummyClassifier(strategy="prior").fit(features, target)
    model.class_prior_ = np.array([sum(drawn) / 2, 1 - sum(drawn) / 2])
    return model


def fit_broken(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Steps:
    raise ZeroDivisionError("the model's own mistake")


class Note:
    """A type that no one declared as trusted."""


_NAMES = ("with_visitor", "nothing", "unstorable", "rough", "from_global_generators", "broken")
ODD = toy_models.BINARY.model_copy(
    update={
        "candidates": tuple(Candidate(name=name, fit=f"odd_models:fit_{name}") for name in _NAMES),
    }
)
DIVERGING = toy_models.REGRESSION.model_copy(
    update={"candidates": (Candidate(name="diverged", fit="odd_models:fit_diverged"),)}
)
NO_PIPELINE = "something else"
