"""Small networks on the toy data, and the fits that make them."""

import os
import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

import toy_models
from mlops_core.pipeline import Candidate
from mlops_core.training.torch.fitting import fit_module
from mlops_core.training.torch.settings import TorchSettings
from mlops_core.training.torch.targets import numbered_classes, values

COLOURS = ("red", "green", "blue")
NUMBERS = ("amount", "count", "member")

during_forward: Callable[[], object] = list
"""What each forward pass calls; a test replaces it."""


class Network(nn.Module):
    """A colour's embedding beside three numbers; gaps are 0."""

    classes: tuple[Any, ...]

    def __init__(self, *, colours: list[str], outputs: int, width: int = 8) -> None:
        super().__init__()
        self.config = {"colours": colours, "outputs": outputs, "width": width}
        self._numbers = {colour: number for number, colour in enumerate(colours, start=1)}
        self.embedding = nn.Embedding(len(colours) + 1, 2)
        self.layers = nn.Sequential(
            nn.Linear(5, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.1), nn.Linear(width, outputs)
        )

    def encode(self, features: pd.DataFrame) -> tuple[Tensor, ...]:
        colour = features["colour"].map(self._numbers).fillna(0).to_numpy(dtype=np.int64)
        numbers = features[list(NUMBERS)].fillna(0).to_numpy(dtype=np.float32)
        return torch.tensor(colour), torch.tensor(numbers)

    def forward(self, colour: Tensor, numbers: Tensor) -> Tensor:
        during_forward()
        answer: Tensor = self.layers(torch.cat([self.embedding(colour), numbers], dim=1))
        return answer.squeeze(1)


class ForgetfulNetwork(Network):
    """Its config does not say everything: built anew it answers something else."""

    scale = 1.0

    def forward(self, colour: Tensor, numbers: Tensor) -> Tensor:
        return self.scale * super().forward(colour, numbers)


class StubbornNetwork(Network):
    """Its config does not build it."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.config = {**self.config, "depth": 3}


def settings(**changes: Any) -> TorchSettings:
    usual = {"epochs": 3, "batch_rows": 32, "learning_rate": 0.01, "threads": 1, "checkpoint_steps": 4}
    return TorchSettings(**{**usual, **changes})


def fit_network(
    features: pd.DataFrame, target: pd.Series, *, seed: int, epochs: int = 3, kind: type[Network] = Network
) -> Network:
    if target.dtype == "float64":
        classes, encoded_target, outputs = (), values(target), 1
    else:
        classes, encoded_target = numbered_classes(target)
        outputs = len(classes)
    network = kind(colours=list(COLOURS), outputs=outputs)
    if classes:
        network.classes = classes
    return fit_module(
        network, network.encode(features), encoded_target, settings=settings(epochs=epochs), seed=seed
    )


def fit_forgetful(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Network:
    network = fit_network(features, target, seed=seed, kind=ForgetfulNetwork)
    network.scale = 2.0
    return network


def fit_stubborn(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Network:
    return fit_network(features, target, seed=seed, kind=StubbornNetwork)


def fit_diverging(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Network:
    classes, numbers = numbered_classes(target)
    network = Network(colours=list(COLOURS), outputs=len(classes))
    encoded = network.encode(features.assign(amount=np.inf))
    return fit_module(network, encoded, numbers, settings=settings(), seed=seed)


def kill_at(number: int) -> Callable[[], None]:
    """Return what kills the process in the forward pass of that number, as a machine's end would."""
    passes = iter(range(1, number + 1))

    def visit() -> None:
        if next(passes) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return visit


_CANDIDATES = (
    Candidate(name="network", fit="torch_models:fit_network"),
    Candidate(name="forgetful", fit="torch_models:fit_forgetful"),
    Candidate(name="stubborn", fit="torch_models:fit_stubborn"),
    Candidate(name="diverging", fit="torch_models:fit_diverging"),
)
BINARY = toy_models.BINARY.model_copy(update={"candidates": _CANDIDATES})
MULTICLASS = toy_models.MULTICLASS.model_copy(update={"candidates": _CANDIDATES})
REGRESSION = toy_models.REGRESSION.model_copy(update={"candidates": _CANDIDATES[:1]})
