"""Optimisers, and the learning rate of each step."""

import math

import torch
from torch import nn

from mlops_core.training.torch.settings import TorchSettings

_RISE_SHARE = 0.3
_FIRST_PART, _LAST_PART = 1 / 25, 1 / 10_000


def make_optimiser(module: nn.Module, settings: TorchSettings) -> torch.optim.Optimizer:
    """Return the declared optimiser of a module's weights."""
    if settings.optimiser == "sgd":
        return torch.optim.SGD(
            module.parameters(),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
    return torch.optim.AdamW(
        module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )


def learning_rate(settings: TorchSettings, *, step: int, steps: int) -> float:
    """Return the learning rate of a step; a function of its place alone, so nothing of it must be kept.

    Parameters
    ----------
    step
        Counted from 0 over the whole fit.
    steps
        Of one epoch.

    References
    ----------
    Smith and Topin (2018), "Super-convergence", with cosine instead of linear parts, as torch's OneCycleLR.
    """
    top = settings.learning_rate
    if settings.learning_rate_schedule == "constant":
        return top
    done = step / max(1, steps * settings.epochs - 1)
    if done < _RISE_SHARE:
        return _between(top * _FIRST_PART, top, share=done / _RISE_SHARE)
    return _between(top, top * _LAST_PART, share=(done - _RISE_SHARE) / (1 - _RISE_SHARE))


def _between(start: float, end: float, *, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
