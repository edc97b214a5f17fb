"""How well one feature alone explains the target, each by a small model that is judged on other rows."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import Task

_FOLDS = 3
_DEPTH = 4
_LEAF_ROWS = 20
_MOST_CLASSES = 20
_PRIOR_ROWS = 10.0
"""How many average rows each category is given, so that one of a single row is not taken at its word."""


def feature_powers(features: pd.DataFrame, target: pd.Series, *, task: Task, seed: int) -> dict[str, float]:
    """Return each feature's power: 0 is chance, 1 is perfection.

    A number, boolean or time is tried by a small decision tree on its ranks; a text by the target's mean in
    each category, and by the numbers that its texts may be; the better try counts. Classification: the mean
    over folds of ``2 * ROC AUC - 1``; multiclass: of each class against the rest, unweighted mean over at
    most the 20 commonest. Regression: the share of variance that is explained out of fold, of the target's
    values or of its ranks, whichever is greater. Never below 0.

    Parameters
    ----------
    features
        As ``conform`` gives them.
    target
        Without missing values.

    Raises
    ------
    EvaluationError
        If the target does not vary, or a binary one has too few rows of a class to try anything.
    """
    tried = _tried(target, task=task)
    folds = _folds(target, task=task, seed=seed)
    score = _variance_explained if task is Task.REGRESSION else _areas
    tree = partial(_by_tree, leaf_rows=_leaf_rows(tried[0], task=task), seed=seed)
    return {
        str(name): max(
            _power(column, wanted=wanted, folds=folds, score=score, tree=tree)
            for column in _readings(features[name])
            for wanted in tried
        )
        for name in features.columns
    }


def _readings(column: pd.Series) -> tuple[pd.Series, ...]:
    if not isinstance(column.dtype, pd.StringDtype):
        return (column,)
    # Numbers written as texts are all different, which no category tells anything of.
    return column, pd.to_numeric(column, errors="coerce")


def _tried(target: pd.Series, *, task: Task) -> tuple[np.ndarray, ...]:
    """Return what is predicted, each of shape (n, 1) or with a column a class."""
    if task is Task.REGRESSION:
        values = target.to_numpy(dtype=np.float64)[:, None]
        if not np.ptp(values) > 0:
            raise EvaluationError(
                f"the target of all {len(target)} sampled training rows is {values[0, 0]:g}"
            )
        # Of a target with a heavy tail a few rows are nearly all of the variance, and a copy explains little.
        return values, target.rank().to_numpy(dtype=np.float64)[:, None]
    counts = target.value_counts()
    common = [name for name, rows in counts.items() if rows >= _FOLDS]
    if len(common) < 2:
        raise EvaluationError(
            f"fewer than two classes have {_FOLDS} of the {len(target)} sampled training rows;"
            " sample more rows (evaluation.leakage.rows)"
        )
    chosen = common[1:2] if task is Task.BINARY_CLASSIFICATION else common[:_MOST_CLASSES]
    return (np.stack([(target == name).to_numpy(dtype=np.float64) for name in chosen], axis=1),)


def _folds(target: pd.Series, *, task: Task, seed: int) -> np.ndarray:
    """Return each row's fold, by chance, with as many rows of each class in every fold as can be."""
    shuffled = np.random.default_rng(seed).permutation(len(target))
    if task is not Task.REGRESSION:
        codes = pd.factorize(target)[0]
        shuffled = shuffled[np.argsort(codes[shuffled], kind="stable")]
    folds = np.empty(len(target), dtype=np.intp)
    folds[shuffled] = np.arange(len(target)) % _FOLDS
    return folds


def _leaf_rows(wanted: np.ndarray, *, task: Task) -> int:
    """Return how few rows a leaf may have: fewer where a class is rare, so that none hides in a leaf."""
    rare = len(wanted) if task is Task.REGRESSION else int(wanted.sum(axis=0).min())
    return max(1, min(_LEAF_ROWS, rare // 4, len(wanted) // _LEAF_ROWS))


def _power(
    column: pd.Series,
    *,
    wanted: np.ndarray,
    folds: np.ndarray,
    score: Callable[[np.ndarray, np.ndarray], float],
    tree: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
) -> float:
    codes = pd.factorize(column, sort=not isinstance(column.dtype, pd.StringDtype), use_na_sentinel=True)[0]
    if codes.min() == codes.max():
        return 0.0
    predict = _by_category if isinstance(column.dtype, pd.StringDtype) else tree
    predicted = np.empty_like(wanted)
    for fold in range(_FOLDS):
        held = folds == fold
        predicted[held] = predict(codes[~held], wanted[~held], codes[held])
    if score is _variance_explained:
        return max(0.0, score(wanted, predicted))
    found = [score(wanted[folds == fold], predicted[folds == fold]) for fold in range(_FOLDS)]
    return max(0.0, float(np.mean(found)))


def _by_tree(
    codes: np.ndarray, wanted: np.ndarray, asked: np.ndarray, *, leaf_rows: int, seed: int
) -> np.ndarray:
    from sklearn.tree import DecisionTreeRegressor

    # The mean of an indicator is the share of its class, so one kind of tree serves every task.
    tree: Any = DecisionTreeRegressor(max_depth=_DEPTH, min_samples_leaf=leaf_rows, random_state=seed)
    tree.fit(_ranks(codes), wanted)
    return np.asarray(tree.predict(_ranks(asked))).reshape(len(asked), -1)


def _ranks(codes: np.ndarray) -> np.ndarray:
    # Ranks, and not values: a tree rounds to single precision, where times and infinity do not fit.
    return np.where(codes < 0, np.nan, codes).astype(np.float32)[:, None]


def _by_category(codes: np.ndarray, wanted: np.ndarray, asked: np.ndarray) -> np.ndarray:
    prior = wanted.mean(axis=0)
    # Missing is a category of its own: -1 becomes 0.
    count = int(max(codes.max(), asked.max())) + 2
    rows = np.bincount(codes + 1, minlength=count)[:, None]
    sums = np.stack([np.bincount(codes + 1, weights=column, minlength=count) for column in wanted.T], axis=1)
    means = (sums + _PRIOR_ROWS * prior) / (rows + _PRIOR_ROWS)
    predicted: np.ndarray = means[asked + 1]
    return predicted


def _areas(wanted: np.ndarray, predicted: np.ndarray) -> float:
    from mlops_core.evaluation.ranking import rank, trace, weighted_areas

    ones = np.ones((1, len(wanted)))
    areas = [
        float(weighted_areas(trace(rank(scores), positive=positive > 0), weights=ones).roc[0])
        for positive, scores in zip(wanted.T, predicted.T, strict=True)
    ]
    return 2 * float(np.mean(areas)) - 1


def _variance_explained(wanted: np.ndarray, predicted: np.ndarray) -> float:
    error = np.square(wanted - predicted).sum()
    return float(1 - error / np.square(wanted - wanted.mean(axis=0)).sum())
