"""SHAP values of any loaded model: what each feature's value adds to a row's score.

Trees are explained exactly by the shap library. Any other model is asked about mixtures of a row and
background rows. The library's own explainer for that compiles for seven seconds in every new process, calls
the model once a row, and takes numbers alone.

References
----------
Lundberg and Lee (2017), "A unified approach to interpreting model predictions", equation 8.
Mitchell, Cooper, Frank and Holmes (2022), "Sampling permutations for Shapley value estimation", section 4.2:
antithetic sampling, an order and its reverse.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlops_core.evaluation.tree_attribution import explain_trees
from mlops_core.models.frames import conform
from mlops_core.models.loaded import LoadedModel

_MOST_PREDICTIONS = 250_000
_PREDICTIONS_AT_ONCE = 20_000
_MOST_ORDERS = 5
_FEWEST_ROWS = 10
"""Of either kind, however many features there are."""


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """What each feature adds to each score of each row.

    Parameters
    ----------
    values : shape (rows, features, scores)
        With the base they add up to the row's scores.
    base : shape (scores,)
        Mean scores of the background rows.
    scores : shape (rows, scores)
        What the model says of the rows.
    """

    method: str
    features: tuple[str, ...]
    values: np.ndarray
    base: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How many rows, background rows and orders of the features are affordable."""

    rows: int
    background_rows: int
    orders: int


def affordable(*, features: int, rows: int, background_rows: int) -> Effort:
    """Return the rows and background rows asked for, or fewer where features are many.

    An order of the features asks for two predictions a feature, row and background row. Background rows are
    given up before rows, down to ten.
    """
    a_pair = 2 * max(1, features - 1)
    background = min(background_rows, max(_FEWEST_ROWS, _MOST_PREDICTIONS // (a_pair * rows)))
    kept = min(rows, max(_FEWEST_ROWS, _MOST_PREDICTIONS // (a_pair * background)))
    orders = _MOST_PREDICTIONS // (a_pair * background * kept)
    return Effort(rows=kept, background_rows=background, orders=min(_MOST_ORDERS, max(1, orders)))


def attribute(
    model: LoadedModel, rows: pd.DataFrame, *, background: pd.DataFrame, orders: int, seed: int
) -> Attribution:
    """Attribute the scores of rows to the features.

    Parameters
    ----------
    background
        Rows whose values stand in for a feature that is left out.
    orders
        Orders of the features tried a row where the model is not made of trees; each also in reverse.
    seed
        Of the orders.
    """
    asked, behind = (conform(frame, model.features).reset_index(drop=True) for frame in (rows, background))
    features, scores = tuple(model.features), _scores(model, asked)
    base = _scores(model, behind).mean(axis=0)
    values = explain_trees(model, asked, background=behind, scores=scores, base=base)
    method = f"tree SHAP, exact over {len(behind)} background rows"
    if values is None:
        generator = np.random.default_rng(seed)
        values = _by_permutation(
            model, asked, behind, scores=scores, base=base, orders=orders, generator=generator
        )
        each = "one random order" if orders == 1 else f"{orders} random orders"
        method = f"permutation SHAP, {each} a row and its reverse over {len(behind)} background rows"
    return Attribution(method=method, features=features, values=values, base=base, scores=scores)


def _scores(model: LoadedModel, frame: pd.DataFrame) -> np.ndarray:
    return np.asarray(model.predict(frame).scores, dtype=np.float64).reshape(len(frame), -1)


def _by_permutation(
    model: LoadedModel,
    rows: pd.DataFrame,
    background: pd.DataFrame,
    *,
    scores: np.ndarray,
    base: np.ndarray,
    orders: int,
    generator: np.random.Generator,
) -> np.ndarray:
    count, behind = len(model.features), len(background)
    pool = pd.concat([rows, background], ignore_index=True)
    values = np.zeros((len(rows), count, len(base)))
    at_once = max(1, _PREDICTIONS_AT_ONCE // (2 * max(1, count - 1) * behind))
    for _ in range(orders):
        for first in range(0, len(rows), at_once):
            places = np.arange(first, min(first + at_once, len(rows)))
            order = np.stack([generator.permutation(count) for _ in places])
            known = _known_features(order)
            means = _mixture_means(model, pool, known, rows=places, behind=behind)
            values[places] += _contributions(order, means, base=base, full=scores[places])
    return values / (2 * orders)


def _known_features(order: np.ndarray) -> np.ndarray:
    """Return which features are known after each step but the last, in order and then in reverse.

    Shape (rows, 2 (features - 1), features).
    """
    count = order.shape[1]
    position, steps = np.argsort(order, axis=1)[:, None, :], np.arange(1, count)[None, :, None]
    return np.concatenate([position < steps, position >= count - steps], axis=1)


def _mixture_means(
    model: LoadedModel, pool: pd.DataFrame, known: np.ndarray, *, rows: np.ndarray, behind: int
) -> np.ndarray:
    """Return the mean scores of each row with what is not known of it taken from every background row."""
    if known.shape[1] == 0:
        return np.empty((len(rows), 0, 0))
    # Rows are pointed to and not copied feature by feature, so that text, times and gaps mix as numbers do.
    others = np.arange(len(pool) - behind, len(pool))
    taken = np.where(known[:, :, None, :], rows[:, None, None, None], others[None, None, :, None])
    taken = taken.reshape(-1, known.shape[2])
    mixed = pd.DataFrame(
        {name: pool[name].array.take(taken[:, place]) for place, name in enumerate(pool)}, copy=False
    )
    means: np.ndarray = _scores(model, mixed).reshape(len(rows), known.shape[1], behind, -1).mean(axis=2)
    return means


def _contributions(order: np.ndarray, means: np.ndarray, *, base: np.ndarray, full: np.ndarray) -> np.ndarray:
    """Return what each feature added in its place, in order and in reverse together."""
    steps = means.shape[1] // 2
    start, end = np.broadcast_to(base, full.shape)[:, None], full[:, None]
    added = np.zeros((*order.shape, len(base)))
    for path, followed in ((means[:, :steps], order), (means[:, steps:], order[:, ::-1])):
        walked = [start, path, end] if steps else [start, end]
        np.put_along_axis(
            added,
            followed[:, :, None],
            np.take_along_axis(added, followed[:, :, None], axis=1)
            + np.diff(np.concatenate(walked, axis=1), axis=1),
            axis=1,
        )
    return added
