"""What a fit makes small, by default."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from mlops_core.errors import EvaluationError

DIVERGED = "the fit has diverged; lower learning_rate, or look for values in the features that are not finite"

_STEPS_BETWEEN_LOOKS = {"cpu": 1, "cuda": 50}

Loss = Callable[[Tensor, Tensor], Tensor]
"""Of logits and target; averaged over the rows."""


def default_loss(target: Tensor) -> Loss:
    """Return cross-entropy for a target of classes, the mean squared error for one of values."""
    return mean_squared_error if target.is_floating_point() else cross_entropy


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Return the mean negative log-likelihood: of k classes for (n, k) logits, of two for (n,)."""
    if logits.ndim == 1:
        return functional.binary_cross_entropy_with_logits(logits, target.to(logits.dtype))
    return functional.cross_entropy(logits, target)


def mean_squared_error(values: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared error of (n,) values."""
    return torch.mean((values - target.to(values.dtype)) ** 2)


class LossSum:
    """The sum of an epoch's losses over its rows, on the device: to read it is to wait for the device.

    Once a loss is NaN or infinite the sum is, so that one look covers all steps since the last one. Steps
    are added one by one, in float64: a sum that went through a checkpoint is the very same.
    """

    def __init__(self, device: torch.device) -> None:
        self._every = _STEPS_BETWEEN_LOOKS[device.type]
        self._sum = torch.zeros((), dtype=torch.float64, device=device)
        self._seen = 0

    def start(self, value: float, *, step: int) -> None:
        """Begin where an epoch stands after so many steps."""
        self._sum.fill_(value)
        self._seen = step

    def add(self, total: Tensor) -> None:
        """Add a step's loss, summed over its rows."""
        self._sum += total

    def read(self) -> float:
        """Wait for the device, and return the sum."""
        return float(self._sum)

    def look(self, *, epoch: int, step: int, steps: int) -> None:
        """Look, if it is time to, whether all is finite after so many steps of an epoch.

        It is time at the same steps in every process: those of one fit leave it together.

        Raises
        ------
        EvaluationError
            If it is not. It names the step, or the steps since the last look, of which one was the first.
        """
        if step % self._every != 0 and step != steps:
            return
        value, first = self.read(), self._seen + 1
        if not math.isfinite(value):
            where = f"step {step}" if first == step else f"one of the steps {first} to {step}"
            raise EvaluationError(f"the loss is {value} in epoch {epoch}, {where}/{steps}: {DIVERGED}")
        self._seen = step
