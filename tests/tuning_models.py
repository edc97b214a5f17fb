"""A regression whose score on any rows is known by hand: it predicts the number that it is given."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.dummy import DummyRegressor

from mlops_core.pipeline import AbsoluteGate, Candidate, Pipeline
from mlops_core.search import Choice, Float, Integer, Search

PARTITIONS = ("2013-01", "2013-02", "2013-03", "2013-04", "2013-05")
ROWS = 4

fitted_rows: list[list[float]] = []
"""The feature ``place`` of the rows of each fit, in order."""

before_fit: Callable[..., object] = dict
"""Called with the parameters of every fit; a test replaces it."""


def load(partition: str) -> pa.Table:
    """The rows have numbers of their own: 20130101 and so on; the target is 10, or 12 in the latest month."""
    month = int(partition.replace("-", ""))
    return pa.table(
        {
            "place": [float(month * 100 + number) for number in range(ROWS)],
            "value": [12.0 if partition == PARTITIONS[-1] else 10.0] * ROWS,
        }
    )


def fit_constant(
    features: pd.DataFrame,
    target: pd.Series,
    *,
    seed: int,  # noqa: ARG001  every candidate has it
    value: float = 10.0,
    kind: str = "plain",
) -> DummyRegressor:
    fitted_rows.append(features["place"].tolist())
    before_fit(value=value, kind=kind)
    if kind == "broken":
        raise ZeroDivisionError("this kind cannot be fitted")
    model = DummyRegressor(strategy="constant", constant=value).fit(features, target)
    if kind == "diverged":
        model.constant_ = np.full_like(model.constant_, np.nan)
    return model


RANGES: dict[str, Any] = {"value": Float(low=0, high=20)}
SEARCH = Search(parameters=RANGES, trials=6, folds=2)

PIPELINE = Pipeline(
    name="constant",
    task="regression",
    loader="tuning_models:load",
    target="value",
    candidates=(
        Candidate(
            name="searched", fit="tuning_models:fit_constant", search=SEARCH, parameters={"kind": "plain"}
        ),
        Candidate(name="nested", fit="tuning_models:fit_constant", search=SEARCH, cross_validation=3),
        Candidate(name="plain", fit="tuning_models:fit_constant", cross_validation=3),
        Candidate(
            name="hopeless",
            fit="tuning_models:fit_constant",
            search=Search(parameters={"kind": Choice(("broken", "diverged"))}, trials=4, folds=2),
        ),
        Candidate(
            name="misnamed",
            fit="tuning_models:fit_constant",
            search=Search(parameters={"depth": Integer(low=1, high=9)}, trials=2, folds=2),
        ),
    ),
    gates=(AbsoluteGate(metric="mae", maximum=5.0),),
)
