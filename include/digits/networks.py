"""A small convolutional network that reads a digit."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from digits.columns import DARKEST, PIXELS, SIDE
from mlops_core.training.torch.fitting import fit_module
from mlops_core.training.torch.settings import TorchSettings
from mlops_core.training.torch.targets import numbered_classes


class ConvolutionalNetwork(nn.Module):
    """Two layers of filters over the scan, and a full layer on what they have found.

    Parameters
    ----------
    filters
        Of the first layer; the second has twice as many.
    """

    classes: list[Any]
    """Of the target, in the order of the logits."""

    def __init__(self, *, classes: int, filters: int, dropout: float) -> None:
        super().__init__()
        self.config = {"classes": classes, "filters": filters, "dropout": dropout}
        self.layers = nn.Sequential(
            nn.Conv2d(1, filters, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(filters, 2 * filters, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(2 * filters * (SIDE // 2) ** 2, classes),
        )

    def encode(self, features: pd.DataFrame) -> tuple[Tensor]:
        """Return the scans, shape (rows, 1, 8, 8), from 0 to 1. A pixel that is missing is blank."""
        pixels = np.nan_to_num(features[list(PIXELS)].to_numpy(dtype=np.float32)) / DARKEST
        return (torch.from_numpy(pixels.reshape(-1, 1, SIDE, SIDE)),)

    def forward(self, scans: Tensor) -> Tensor:
        """Return the logits of the digits."""
        logits: Tensor = self.layers(scans)
        return logits


def fit_convolutional_network(
    features: pd.DataFrame,
    target: pd.Series,
    *,
    seed: int,
    epochs: int = 30,
    learning_rate: float = 0.005,
    filters: int = 16,
    dropout: float = 0.3,
) -> ConvolutionalNetwork:
    """Fit the network; the latest tenth of the scans decides when to stop."""
    classes, numbers = numbered_classes(target)
    network = ConvolutionalNetwork(classes=len(classes), filters=filters, dropout=dropout)
    network.classes = list(classes)
    settings = TorchSettings(
        epochs=epochs,
        batch_rows=64,
        learning_rate=learning_rate,
        learning_rate_schedule="one_cycle",
        patience_epochs=8,
        validation_share=0.1,
    )
    return fit_module(network, network.encode(features), numbers, settings=settings, seed=seed)
