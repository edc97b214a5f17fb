"""A model in memory, ready to predict."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from mlops_core.evaluation.catalogue import Task
from mlops_core.models.frames import conform
from mlops_core.models.network import NetworkEstimator, as_estimator


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """What a model says of some rows.

    Parameters
    ----------
    scores
        Binary: shape (n,), probability of ``classes[1]``. Multiclass: shape (n, k), a column a class.
        Regression: shape (n,), the predicted values.
    labels : shape (n,)
        The predicted classes, as they were in the target; for regression the same values as ``scores``.
    """

    scores: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A verified model in memory.

    Parameters
    ----------
    features
        Type by column name, in the order the model was fitted on: ``double``, ``string``, ``boolean`` or
        ``datetime`` (MLflow's names). Every feature may be null.
    classes
        The target's classes in the order of the scores; empty for regression. ``classes[1]`` is the positive
        class of a binary model.
    input_example
        Some rows that the model was fitted on, to try it with.
    digest
        Of the files it was read from.
    """

    task: Task
    features: Mapping[str, str]
    classes: tuple[Any, ...]
    input_example: pd.DataFrame
    digest: str
    estimator: Any

    @classmethod
    def of(
        cls,
        estimator: Any,
        *,
        task: Task,
        features: Mapping[str, str],
        input_example: pd.DataFrame,
        digest: str,
    ) -> Self:
        """Wrap a fitted estimator with scikit-learn's ``predict`` (and ``predict_proba`` to classify).

        A torch module is one too, see ``NetworkEstimator``.
        """
        example = conform(input_example, features)
        asked = as_estimator(estimator, task=task, example=example)
        return cls(
            task=task,
            features=dict(features),
            classes=() if task is Task.REGRESSION else tuple(np.asarray(asked.classes_).tolist()),
            input_example=example,
            digest=digest,
            estimator=asked,
        )

    def predict(self, frame: pd.DataFrame) -> Predictions:
        """Predict rows; columns are found by name, in any order, and those that are no features are left out.

        Raises
        ------
        DataRejectedError
            If a feature is missing or its values are not of its type.
        """
        transform, final = self._stages
        rows = conform(frame, self.features)
        if transform is not None:
            rows = transform.transform(rows)
        if self.task is Task.REGRESSION:
            labels = np.asarray(final.predict(rows))
            return Predictions(scores=labels.astype(np.float64), labels=labels)
        scores = np.asarray(final.predict_proba(rows), dtype=np.float64)
        # A network has no threshold of its own, so its labels need no second pass.
        network = isinstance(final, NetworkEstimator)
        labels = final.labels_of(scores) if network else np.asarray(final.predict(rows))
        if self.task is Task.BINARY_CLASSIFICATION:
            scores = scores[:, 1]
        return Predictions(scores=scores, labels=labels)

    @cached_property
    def _stages(self) -> tuple[Any, Any]:
        """The transformation and the final estimator.

        Classes and probabilities come from two calls, because a classifier may have a threshold of its own;
        the transformation, most of the time that one row takes, is shared by both.
        """
        from sklearn.pipeline import Pipeline

        if type(self.estimator) is not Pipeline or len(self.estimator.steps) < 2:
            return None, self.estimator
        return self.estimator[:-1], self.estimator[-1]
