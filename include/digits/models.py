"""A linear way of reading a digit, which a network must beat."""

import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler


def fit_logistic_regression(
    features: pd.DataFrame, target: pd.Series, *, seed: int, c: float = 0.1, iterations: int = 300
) -> Pipeline:
    """Fit a logistic regression on the pixels.

    Parameters
    ----------
    c
        Inverse of the strength of the L2 penalty.
    """
    blank = SimpleImputer(strategy="constant", fill_value=0.0, keep_empty_features=True)
    line = LogisticRegression(C=c, max_iter=iterations, random_state=seed)
    return Pipeline([("blank", blank), ("scale", StandardScaler()), ("line", line)]).fit(features, target)
