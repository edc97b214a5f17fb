"""Fits that do not follow from their job alone: by much, by nearly nothing, and one that ends its process."""

import os
import time

import pandas as pd
from sklearn.pipeline import Pipeline as Steps

import toy_models
from mlops_core.pipeline import AbsoluteGate, Candidate, Pipeline


def fit_by_chance(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Steps:
    drawn = int.from_bytes(os.urandom(3)) + seed
    return toy_models.fit_trees(features, target, seed=drawn)


def fit_nearly(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Steps:
    line = toy_models.fit_constant_line(features, target, seed=seed)
    line[-1].intercept_ += 1e-9 * (1 + time.time_ns() % 1000)
    return line


def end_the_process(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Steps:
    """Fit once; the second time, end the process without a word of the library."""
    if os.environ.get("MLOPS_TEST_END"):
        os._exit(9)
    return toy_models.fit_constant_line(features, target, seed=seed)


RESTLESS = Pipeline(
    name="restless",
    task="binary_classification",
    loader="toy_models:load",
    target="positive",
    key="id",
    features=("amount", "colour", "count", "member"),
    candidates=(
        Candidate(name="by_chance", fit="restless_models:fit_by_chance"),
        Candidate(name="nearly", fit="restless_models:fit_nearly"),
        Candidate(name="ending", fit="restless_models:end_the_process"),
    ),
    gates=(AbsoluteGate(metric="roc_auc", minimum=0.6),),
)
