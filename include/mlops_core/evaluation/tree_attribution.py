"""Exact SHAP values of trees, by the shap library, where they can be traced back to the input features."""

import logging
from typing import Any

import numpy as np
import pandas as pd

from mlops_core.evaluation.catalogue import Task
from mlops_core.models.loaded import LoadedModel

_TOLERANCE = 1e-6

log = logging.getLogger(__name__)


def explain_trees(
    model: LoadedModel, rows: pd.DataFrame, *, background: pd.DataFrame, scores: np.ndarray, base: np.ndarray
) -> np.ndarray | None:
    """Return SHAP values of shape (rows, features, scores).

    Parameters
    ----------
    scores : shape (rows, scores)
        What the model says of the rows.
    base : shape (scores,)
        The mean of what it says of the background.

    Returns
    -------
    None where the model is not made of trees, a value is missing, the transformation mixes features, or the
    values do not add up to what the model says.
    """
    transform, trees = _stages(model.estimator)
    if not _is_of_trees(trees):
        return None
    pool = pd.concat([rows, background], ignore_index=True)
    try:
        matrix = _transformed(transform, pool)
        # Where values are missing, the library's values do not add up.
        owners = None if np.isnan(matrix).any() else _owners(transform, pool, matrix)
        if owners is None:
            return None
        values = _explain(trees, matrix[: len(rows)], background=matrix[len(rows) :], model=model)
    except Exception as error:  # the library raises anything for a kind of tree that it does not know
        log.info("trees cannot be explained as such", exc_info=error)
        return None
    if values.shape[2] != len(base):
        return None
    of_feature = (owners[:, None] == np.arange(pool.shape[1])).astype(np.float64)
    by_feature = np.einsum("rcs,cf->rfs", values, of_feature)
    off = float(np.abs(by_feature.sum(axis=1) + base - scores).max(initial=0))
    return by_feature if off <= _TOLERANCE else None


def _stages(estimator: Any) -> tuple[Any, Any]:
    from sklearn.pipeline import Pipeline

    if type(estimator) is not Pipeline or len(estimator.steps) < 2:
        return None, estimator
    return estimator[:-1], estimator[-1]


def _is_of_trees(estimator: Any) -> bool:
    from sklearn import ensemble, tree

    return type(estimator) in {
        ensemble.HistGradientBoostingClassifier,
        ensemble.HistGradientBoostingRegressor,
        ensemble.RandomForestClassifier,
        ensemble.RandomForestRegressor,
        ensemble.ExtraTreesClassifier,
        ensemble.ExtraTreesRegressor,
        ensemble.GradientBoostingClassifier,
        ensemble.GradientBoostingRegressor,
        tree.DecisionTreeClassifier,
        tree.DecisionTreeRegressor,
    }


def _transformed(transform: Any, frame: pd.DataFrame) -> np.ndarray:
    table: Any = frame if transform is None else transform.transform(frame)
    dense = table.toarray() if hasattr(table, "toarray") else table
    return np.asarray(dense, dtype=np.float64)


def _owners(transform: Any, pool: pd.DataFrame, matrix: np.ndarray) -> np.ndarray | None:
    """Return which feature each transformed column comes from; None if one comes from several.

    It is tried out: a feature's values change rows, and the columns that change with them are its own.
    """
    owners, before = np.full(matrix.shape[1], -1), np.roll(np.arange(len(pool)), 1)
    for place, name in enumerate(pool):
        moved = pool.copy()
        moved[name] = pool[name].array.take(before)
        own = (_transformed(transform, moved) != matrix).any(axis=0)
        if (owners[own] >= 0).any():
            return None
        owners[own] = place
    # What never changes adds nothing to any score, whoever is said to own it.
    adopted: np.ndarray = np.maximum(owners, 0)
    return adopted


def _explain(trees: Any, rows: np.ndarray, *, background: np.ndarray, model: LoadedModel) -> np.ndarray:
    import shap

    explainer = shap.TreeExplainer(
        trees,
        background,
        model_output="raw" if model.task is Task.REGRESSION else "probability",
        feature_perturbation="interventional",
    )
    values = np.asarray(explainer.shap_values(rows, check_additivity=False), dtype=np.float64)
    if values.ndim == 2:
        return values[:, :, None]
    return values[:, :, 1:] if model.task is Task.BINARY_CLASSIFICATION else values
