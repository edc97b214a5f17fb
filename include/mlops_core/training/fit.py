"""The one call of a candidate's fit."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import JsonValue

from mlops_core.errors import DeclarationError
from mlops_core.training.rows import LabelledRows
from mlops_core.training.seeds import seeded


def fit_candidate(
    fit: Callable[..., Any],
    rows: LabelledRows,
    *,
    candidate: str,
    parameters: Mapping[str, JsonValue],
    seed: int,
) -> Any:
    """Return what a candidate's fit makes of the rows, with every global generator seeded.

    Raises
    ------
    DeclarationError
        If the fit does not take these parameters.
    """
    # Shallow copies: pandas copies what is written to, so a fit that changes them changes its own.
    features, target = rows.features.copy(deep=False), rows.target.copy(deep=False)
    try:
        call = inspect.signature(fit).bind(features, target, seed=seed, **parameters)
    except TypeError as error:
        raise DeclarationError(
            f"candidate {candidate!r}: its fit cannot be called with (features, target, seed, "
            f"{', '.join(parameters) or 'no parameters'}): {error}"
        ) from error
    with seeded(seed):
        return fit(*call.args, **call.kwargs)
