"""A torch module that answers as an estimator of scikit-learn does.

Torch is imported only once there is a module: who serves or scores other models never pays for it.
"""

import sys
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import pandas as pd

from mlops_core.errors import DeclarationError
from mlops_core.evaluation.catalogue import Task

if TYPE_CHECKING:
    from torch import nn

_ROWS_AT_ONCE = 8192


def is_module(estimator: object) -> "TypeGuard[nn.Module]":
    """Whether it is a torch module. Without torch in the process nothing is one."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(estimator, torch.nn.Module)


class NetworkEstimator:
    """A fitted module that encodes rows itself, asked on the CPU.

    Parameters
    ----------
    module
        ``encode(features)`` returns tensors with a row each, ``forward(*encoded)`` the logits: (n, k) for k
        classes, (n,) for two classes or a value. Its ``classes`` name the logits'; 0 to k-1 if absent.
    example
        Some rows, to learn how many classes it answers.

    Raises
    ------
    DeclarationError
        If the module cannot be asked so.
    """

    def __init__(self, module: "nn.Module", *, task: Task, example: pd.DataFrame) -> None:
        kind = type(module).__name__
        lacking = [name for name in ("encode", "config") if not hasattr(module, name)]
        if lacking:
            raise DeclarationError(
                f"fit returned a {kind} without {', '.join(lacking)}; a module says how rows become tensors "
                "(`encode(features)`) and how it is built again (`config`, its arguments)"
            )
        self.module: Any = module.cpu().eval()
        self._task = task
        if task is not Task.REGRESSION:
            self._logit_classes = self._name_classes(example)
            self._order = np.argsort(self._logit_classes)
            self.classes_ = self._logit_classes[self._order]
            """The classes, sorted as scikit-learn has them."""

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        """Return the most probable class, or the value, of each row."""
        if self._task is Task.REGRESSION:
            return self._logits(features).astype(np.float64)
        return self.labels_of(self.predict_proba(features))

    def labels_of(self, probabilities: np.ndarray) -> np.ndarray:
        """Return the most probable class of each row."""
        labels: np.ndarray = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def predict_proba(self, features: pd.DataFrame) -> np.ndarray:
        """Return the probabilities, a column a class in the order of ``classes_``."""
        logits = self._logits(features).astype(np.float64)
        if logits.ndim == 1:
            odds = _sigmoid(logits)
            probabilities = np.column_stack([1 - odds, odds])
        else:
            probabilities = _softmax(logits)
        ordered: np.ndarray = probabilities[:, self._order]
        return ordered

    def _name_classes(self, example: pd.DataFrame) -> np.ndarray:
        logits = self._logits(example)
        answered = 2 if logits.ndim == 1 else logits.shape[1]
        given = getattr(self.module, "classes", None)
        classes = np.arange(answered) if given is None else np.asarray(given)
        if len(classes) != answered or len(set(classes.tolist())) < answered:
            raise DeclarationError(
                f"the {type(self.module).__name__} answers {answered} classes a row and names "
                f"{', '.join(map(str, classes.tolist()))}; `classes` has one name a logit, in their order"
            )
        return classes

    def _logits(self, features: pd.DataFrame) -> np.ndarray:
        import torch

        self.module.eval()
        parts = []
        with torch.inference_mode():
            for start in range(0, max(1, len(features)), _ROWS_AT_ONCE):
                encoded = self.module.encode(features.iloc[start : start + _ROWS_AT_ONCE])
                parts.append(self.module(*encoded).float().numpy())
        logits = np.concatenate(parts)
        expected = (1,) if self._task is Task.REGRESSION else (1, 2)
        if len(logits) != len(features) or logits.ndim not in expected:
            raise DeclarationError(
                f"the {type(self.module).__name__} answers logits of the shape {logits.shape} for "
                f"{len(features)} rows; {self._task.value} needs {_shape_wanted(self._task)}"
            )
        return logits


def as_estimator(estimator: Any, *, task: Task, example: pd.DataFrame) -> Any:
    """Return what answers as an estimator: the estimator as it is, or a module wrapped."""
    return NetworkEstimator(estimator, task=task, example=example) if is_module(estimator) else estimator


def _shape_wanted(task: Task) -> str:
    return "(rows,)" if task is Task.REGRESSION else "(rows, classes)"


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    # Without the exponential of a large number, whichever sign it has.
    small = np.exp(-np.abs(logits))
    odds: np.ndarray = np.where(logits >= 0, 1 / (1 + small), small / (1 + small))
    return odds


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return probabilities
