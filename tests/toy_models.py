"""Small models of each task on made-up data, for tests that need something to fit in a moment."""

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline as Steps
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from mlops_core.pipeline import AbsoluteGate, Candidate, Pipeline

ROWS = 200
PARTITIONS = ("2013-01", "2013-02", "2013-03")


def load(partition: str) -> pa.Table:
    """One partition: gaps in every feature, and some rows whose targets are not known."""
    random = np.random.default_rng(sum(partition.encode()))
    amount = random.normal(size=ROWS)
    colour = random.choice(["red", "green", "blue"], ROWS)
    count = random.integers(0, 10, ROWS)
    member = random.random(ROWS) < 0.5
    signal = amount + (colour == "red") + 0.1 * count + 0.5 * random.normal(size=ROWS)
    known = random.random(ROWS) < 0.95
    gap = random.random(ROWS) < 0.1
    return pa.table(
        {
            "id": [f"{partition}-{number}" for number in range(ROWS)],
            "amount": pa.array(amount, mask=gap),
            "colour": pa.array(colour, mask=np.roll(gap, 1)),
            "count": pa.array(count, mask=np.roll(gap, 2)),
            "member": pa.array(member, mask=np.roll(gap, 3)),
            "positive": pa.array(signal > 0.5, mask=~known),
            "size": pa.array(np.select([signal > 1, signal > 0], ["large", "middle"], "small"), mask=~known),
            "value": pa.array(signal, mask=~known),
        }
    )


def fit_trees(features: pd.DataFrame, target: pd.Series, *, seed: int, iterations: int = 5) -> Steps:
    estimator = HistGradientBoostingRegressor if target.dtype == "float64" else HistGradientBoostingClassifier
    return Steps(
        [
            ("encode", _encode()),
            ("trees", estimator(max_iter=iterations, random_state=seed, max_features=0.5)),
        ]
    ).fit(features, target)


def fit_constant_line(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Steps:
    encode = ColumnTransformer([("colour", OneHotEncoder(handle_unknown="ignore"), ["colour"])])
    return Steps([("encode", encode), ("line", LogisticRegression(random_state=seed))]).fit(features, target)


def _encode() -> ColumnTransformer:
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    return ColumnTransformer([("colour", ordinal, ["colour"])], remainder="passthrough")


_FEATURES = ("amount", "colour", "count", "member")
_CANDIDATES = (
    Candidate(name="trees", fit="toy_models:fit_trees", parameters={"iterations": 5}),
    Candidate(name="line", fit="toy_models:fit_constant_line"),
)

BINARY = Pipeline(
    name="toy_binary",
    task="binary_classification",
    loader="toy_models:load",
    target="positive",
    key="id",
    features=_FEATURES,
    candidates=_CANDIDATES,
    gates=(AbsoluteGate(metric="roc_auc", minimum=0.6),),
)
MULTICLASS = Pipeline(
    name="toy_multiclass",
    task="multiclass_classification",
    loader="toy_models:load",
    target="size",
    key="id",
    features=_FEATURES,
    candidates=_CANDIDATES,
    gates=(AbsoluteGate(metric="accuracy", minimum=0.4),),
)
REGRESSION = Pipeline(
    name="toy_regression",
    task="regression",
    loader="toy_models:load",
    target="value",
    key="id",
    features=_FEATURES,
    candidates=_CANDIDATES[:1],
    gates=(AbsoluteGate(metric="mae", maximum=1.0),),
)
