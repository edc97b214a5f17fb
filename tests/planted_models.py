"""A model and ways of spoiling it, each of which one gate must find."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline as Steps
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ROWS = 600
PARTITIONS = ("2013-01", "2013-02")


def table(partition: str) -> pa.Table:
    """One partition: rows of two groups, in the smaller of which the amount says the opposite."""
    random = np.random.default_rng(sum(partition.encode()))
    amount = random.normal(size=ROWS)
    group = random.choice(["north", "south"], ROWS, p=[0.8, 0.2])
    signal = np.where(group == "south", -amount, amount) + 0.4 * random.normal(size=ROWS)
    late = signal > 0
    return pa.table(
        {
            "id": [f"{partition}-{number}" for number in range(ROWS)],
            "amount": amount,
            "count": random.normal(size=ROWS),
            "group": group,
            # Written after the fact: whoever has a receipt was late.
            "receipt": np.where(late, 1.0, 0.0) + 0.01 * random.normal(size=ROWS),
            "late": late,
        }
    )


def fit_good(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Steps:
    """Know both groups."""
    crossed = ColumnTransformer(
        [("group", OneHotEncoder(), ["group"]), ("numbers", "passthrough", ["amount", "count"])]
    )
    trees = RandomForestClassifier(n_estimators=60, min_samples_leaf=5, random_state=seed)
    return Steps([("crossed", crossed), ("trees", trees)]).fit(features, target)


def fit_line(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Steps:
    """Know the amount alone, so the larger group alone."""
    return _line(features, target, seed=seed)


def fit_nan(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Steps:
    """Diverge: every probability is NaN."""
    return _line(features, target, seed=seed, factor=np.nan)


def fit_backwards(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Steps:
    """Say the opposite of what was learnt."""
    return _line(features, target, seed=seed, factor=-1.0)


def fit_overconfident(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Steps:
    """Rank well, and say so with certainty."""
    return _line(features, target, seed=seed, factor=50.0)


def fit_in_place(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Steps:
    """Know the amount, and scale it where it stands: in the frame of whoever asks."""
    scaler = StandardScaler(copy=False).fit(features.copy())
    line = LogisticRegression(random_state=seed).fit(scaler.transform(features.copy()), target)
    return Steps([("scaler", scaler), ("line", line)])


def fit_constant(features: pd.DataFrame, target: pd.Series, *, seed: int) -> DummyClassifier:
    """Give everybody the same answer."""
    return DummyClassifier(strategy="prior", random_state=seed).fit(features, target)


def fit_receipt(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Steps:
    """Read the answer from the receipt."""
    return _line(features, target, seed=seed, column="receipt")


def _line(
    features: pd.DataFrame, target: pd.Series, *, seed: int, column: str = "amount", factor: float = 1.0
) -> Steps:
    line = LogisticRegression(random_state=seed)
    chosen = ColumnTransformer([("chosen", "passthrough", [column])])
    fitted = Steps([("chosen", chosen), ("line", line)]).fit(features, target)
    line.coef_ = line.coef_ * factor
    return fitted


def refuse(evidence: dict[str, Any]) -> dict[str, Any]:
    """Say no, as a gate of one's own may."""
    rows = evidence["holdout_rows"]
    return {"passed": False, "value": rows, "bound": rows + 1, "reason": "one row too few"}


def agree(evidence: dict[str, Any]) -> dict[str, Any]:
    """Say yes, as a gate of one's own may."""
    rows = evidence["holdout_rows"]
    return {"passed": True, "value": rows, "bound": rows, "reason": "rows enough"}


def answer_yes_without_a_word(evidence: dict[str, Any]) -> Any:  # noqa: ARG001  it looks at nothing
    """Answer what is no answer."""
    return True


def fail(evidence: dict[str, Any]) -> Any:
    """Raise."""
    return evidence["no such part"]
