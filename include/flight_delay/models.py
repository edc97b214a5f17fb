"""Ways of fitting the probability that a flight arrives late.

Every transformation is inside the returned pipeline, so that what is served is what was trained. A carrier,
an airport or an aircraft that training has never seen counts as missing, as does a value that is missing.
"""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

_RARE_FLIGHTS = 200


def fit_gradient_boosting(
    features: pd.DataFrame,
    target: pd.Series,
    *,
    seed: int,
    iterations: int = 100,
    learning_rate: float = 0.1,
    leaves: int = 31,
    feature_share: float = 0.3,
    l2: float = 10.0,
) -> Pipeline:
    """Fit boosted trees; categories are numbered and split like numbers.

    Parameters
    ----------
    leaves
        Of one tree, at most.
    feature_share
        Share of the features, drawn anew for each split, that it may choose from.
    l2
        Strength of the shrinkage of a leaf's value.
    """
    # Splitting carriers and airports as sets of categories predicts the following month worse.
    number = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan
    )
    # The trees cannot be fitted on a column without any value, and could learn nothing from it.
    filled = [name for name in features.columns if features[name].notna().any()]
    text = [name for name in _text_columns(features) if name in filled]
    encode = ColumnTransformer([("text", number, text), ("others", "passthrough", _others(filled, text))])
    trees = HistGradientBoostingClassifier(
        max_iter=iterations,
        learning_rate=learning_rate,
        max_leaf_nodes=leaves,
        max_features=feature_share,
        l2_regularization=l2,
        # Stopping early would hold out random rows, of the same days as those that are fitted.
        early_stopping=False,
        random_state=seed,
    )
    return Pipeline([("encode", encode), ("trees", trees)]).fit(features, target)


def fit_logistic_regression(
    features: pd.DataFrame, target: pd.Series, *, seed: int, c: float = 1.0
) -> Pipeline:
    """Fit a logistic regression on scaled numbers and one column a category.

    Parameters
    ----------
    c
        Inverse of the strength of the L2 penalty.
    """
    text = _text_columns(features)
    category = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=_RARE_FLIGHTS)
    number = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)),
            ("scale", StandardScaler()),
        ]
    )
    encode = ColumnTransformer(
        [("text", category, text), ("number", number, _others(features.columns, text))]
    )
    # With far more rows than columns this solver needs a handful of steps where the default needs a hundred.
    line = LogisticRegression(C=c, solver="newton-cholesky", random_state=seed)
    return Pipeline([("encode", encode), ("line", line)]).fit(features, target)


def _text_columns(features: pd.DataFrame) -> list[str]:
    return [name for name in features.columns if isinstance(features[name].dtype, pd.StringDtype)]


def _others(columns: Iterable[str], names: list[str]) -> list[str]:
    return [name for name in columns if name not in names]
