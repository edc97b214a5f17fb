"""Fit a candidate on some training rows, and score it on others."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import JsonValue

from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import Metric, Task
from mlops_core.models.loaded import LoadedModel
from mlops_core.training.context import current_training, training_context
from mlops_core.training.fit import fit_candidate
from mlops_core.training.rows import LabelledRows
from mlops_core.training.tuning.folds import Fold

_EXAMPLE_ROWS = 5
_FITS_FOLDER = "fits"


@dataclass(frozen=True, kw_only=True)
class Procedure:
    """How a candidate is fitted and judged on training rows.

    Parameters
    ----------
    parameters
        Those that are declared; a search adds its own.
    """

    fit: Callable[..., Any]
    candidate: str
    task: Task
    metric: Metric
    seed: int
    parameters: Mapping[str, JsonValue] = field(default_factory=dict)

    def score(self, rows: LabelledRows, fold: Fold, *, chosen: Mapping[str, JsonValue]) -> float:
        """Fit on the rows before a fold and return the metric on the fold's own.

        Raises
        ------
        EvaluationError
            If the rows have one class, or the metric is undefined, not finite or out of its range.
        """
        fitted, scored = rows.take(fold.fitted), rows.take(fold.scored)
        if self.task is not Task.REGRESSION and fitted.target.nunique() < 2:
            raise EvaluationError(
                f"{fold.fitted_on}: all {len(fitted.target)} rows have one class; ask for fewer folds"
            )
        with _fit_aside():
            estimator = fit_candidate(
                self.fit,
                fitted,
                candidate=self.candidate,
                parameters={**self.parameters, **chosen},
                seed=self.seed,
            )
        model = LoadedModel.of(
            estimator,
            task=self.task,
            features=rows.types,
            input_example=fitted.features.head(_EXAMPLE_ROWS),
            digest="",
        )
        value = self.metric.score(
            self.task, truth=scored.target, predictions=model.predict(scored.features), classes=model.classes
        )
        if not self.metric.holds(value):
            raise EvaluationError(
                f"{self.metric.name} on {fold.scored_on} is {value}, no finite number in {self.metric.range}"
            )
        return value


@contextmanager
def _fit_aside() -> Iterator[None]:
    """Keep a fit's progress out of the job's run, and its checkpoints only until it is over."""
    context = current_training()
    if context is None:
        yield
        return
    folder = context.checkpoints / _FITS_FOLDER
    with training_context(replace(context, client=None, checkpoints=folder)):
        yield
    # Only after a fit that came to its end: another try goes on with the checkpoints of one that did not.
    shutil.rmtree(folder, ignore_errors=True)
