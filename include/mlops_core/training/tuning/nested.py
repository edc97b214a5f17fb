"""Cross-validation in time: the whole procedure, its search included, on rows that it has not seen."""

import logging
from pathlib import Path

import numpy as np

from mlops_core.errors import EvaluationError
from mlops_core.search import Search
from mlops_core.training.rows import LabelledRows
from mlops_core.training.tuning.documents import CrossValidation, FoldScore
from mlops_core.training.tuning.folds import Fold, time_ordered_folds
from mlops_core.training.tuning.procedure import Procedure
from mlops_core.training.tuning.search import best_parameters, tune

log = logging.getLogger("mlops_core.training")


def cross_validate(
    procedure: Procedure, rows: LabelledRows, *, folds: int, search: Search | None, folder: Path | None
) -> CrossValidation:
    """Fit on the rows before each fold and score on the fold's own; where there is a search, repeat it there.

    Parameters
    ----------
    folder
        Where the searches keep their trials for a retry.

    Raises
    ------
    EvaluationError
        If a fold cannot be scored: a mean over the others would say less than it seems.
    EmptySampleError
        If there are fewer rows than folds need.
    """
    scores = tuple(
        _score(procedure, rows, fold, number=number, search=search, folder=folder)
        for number, fold in enumerate(time_ordered_folds(rows, folds=folds), start=1)
    )
    values = [fold.score for fold in scores]
    found = CrossValidation(
        metric=procedure.metric.name,
        nested=search is not None,
        folds=scores,
        mean=float(np.mean(values)),
        std=float(np.std(values, ddof=1)),
    )
    log.info("%s: %s", procedure.candidate, found.in_words())
    return found


def _score(
    procedure: Procedure,
    rows: LabelledRows,
    fold: Fold,
    *,
    number: int,
    search: Search | None,
    folder: Path | None,
) -> FoldScore:
    chosen = {}
    if search is not None:
        name = f"outer_fold_{number}"
        tuning = tune(procedure, rows.take(fold.fitted), search=search, name=name, folder=folder)
        chosen = best_parameters(tuning, name=name)
    try:
        score = procedure.score(rows, fold, chosen=chosen)
    except EvaluationError as error:
        raise EvaluationError(f"cross-validation, fold {number} ({fold.scored_on}): {error}") from error
    return FoldScore(
        fitted_on=fold.fitted_on,
        scored_on=fold.scored_on,
        fitted_rows=len(fold.fitted),
        scored_rows=len(fold.scored),
        score=score,
        parameters=chosen,
    )
