"""Changes of the held-out features, as a pipeline declares them: seeded, and of copies alone."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from mlops_core.errors import DeclarationError
from mlops_core.models.frames import DOUBLE, STRING
from mlops_core.policies import Perturbation

_TYPES = {"noise": DOUBLE, "shift": DOUBLE, "unseen": STRING}
"""What a kind changes; the others change columns of every type."""

_UNSEEN = "never seen"


def perturbed_frames(
    perturbation: Perturbation, frame: pd.DataFrame, *, types: Mapping[str, str], seed: int
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each changed frame with its name: one, or for ``absent`` one a column.

    Parameters
    ----------
    frame
        The model's features, as ``conform`` gives them. Missing values stay missing.
    types
        By column name.

    Raises
    ------
    DeclarationError
        If a named column is no feature or not of a type that the kind changes, or there is none to change.
    """
    columns = columns_of(perturbation, types)
    where = "" if perturbation.columns is None else f" in {', '.join(columns)}"
    if perturbation.kind == "absent":
        for name in columns:
            yield f"{name} absent", frame.assign(**{name: _emptied(frame[name])})
        return
    random = np.random.default_rng(seed)
    changed = {name: _changed(frame[name], perturbation, random) for name in columns}
    yield f"{_words(perturbation)}{where}", frame.assign(**changed)


def columns_of(perturbation: Perturbation, types: Mapping[str, str]) -> tuple[str, ...]:
    """Return the columns that a perturbation changes, in the model's order or as they are named."""
    kind = perturbation.kind
    needed = _TYPES.get(kind)
    fitting = tuple(name for name, found in types.items() if needed in (None, found))
    unknown = [name for name in perturbation.columns or () if name not in types]
    if unknown:
        raise DeclarationError(
            f"perturbation {kind}: {', '.join(unknown)} is no feature; the features are {', '.join(types)}"
        )
    others = [f"{name} ({types[name]})" for name in perturbation.columns or () if name not in fitting]
    if others or not fitting:
        found = ", ".join(others) or "every feature is of another type"
        raise DeclarationError(
            f"perturbation {kind} changes columns of the type {needed} alone: {found};"
            " name other columns, or declare other perturbations"
        )
    return perturbation.columns or fitting


def _words(perturbation: Perturbation) -> str:
    amount = perturbation.amount
    match perturbation.kind:
        case "noise":
            return f"noise of {amount:g} standard deviations"
        case "shift":
            return f"shift by {amount:g} standard deviations"
        case "missing":
            return f"{amount:.4g} of the values missing"
        case _:
            return f"{amount:.4g} of the texts never seen"


def _changed(column: pd.Series, perturbation: Perturbation, random: np.random.Generator) -> pd.Series:
    if perturbation.kind in ("noise", "shift"):
        steps: float | np.ndarray = 1.0 if perturbation.kind == "shift" else random.normal(size=len(column))
        # What has no finite deviation, such as one value alone, has no scale to be moved on.
        return column + perturbation.amount * _deviation(column) * steps
    chosen = random.random(len(column)) < perturbation.amount
    if perturbation.kind == "missing":
        return column.mask(chosen)
    # A missing text stays missing: it is no text that was never seen.
    return column.mask(chosen & column.notna().to_numpy(), _unseen(column))


def _deviation(column: pd.Series) -> float:
    values = column.to_numpy(dtype=np.float64)
    values = values[np.isfinite(values)]
    return float(values.std()) if values.size else 0.0


def _emptied(column: pd.Series) -> pd.Series:
    return column.mask(np.ones(len(column), dtype=bool))


def _unseen(column: pd.Series) -> str:
    known, word = set(column.dropna().unique().tolist()), _UNSEEN
    while word in known:
        word = f"{word} again"
    return word
