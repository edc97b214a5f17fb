"""A neural network of late arrivals: each category has a learnt place in space, beside the numbers.

After Guo and Berkhahn (2016), "Entity Embeddings of Categorical Variables".
"""

import math
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from mlops_core.training.torch.fitting import fit_module
from mlops_core.training.torch.settings import TorchSettings
from mlops_core.training.torch.targets import numbered_classes

_RARE_FLIGHTS = 50
_QUANTILES = 51
# Numbers whose neighbours have little to do with each other: an hour, a day of the week.
_NAMED_NUMBERS = ("departure_hour", "arrival_hour", "day_of_week")
_MISSING = 0


class EntityEmbeddings(nn.Module):
    """Embeddings of categories and ranked numbers, through a small network of full layers.

    Parameters
    ----------
    categories
        By column, the known values as text. What is missing, rare or unknown shares the first place.
    numbers
        By column, quantiles in training: a number counts as its rank among them, from -1 to 1. So summer's
        heat, which no winter has taught, is no more than the warmest day. A gap is pointed at.
    widths
        Of the hidden layers.
    """

    classes: list[Any]
    """Of the target, in the order of the logits."""

    def __init__(
        self,
        *,
        categories: dict[str, list[str]],
        numbers: dict[str, list[float]],
        widths: list[int],
        dropout: float,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "categories": categories,
            "numbers": numbers,
            "widths": widths,
            "dropout": dropout,
        }
        self._places = {
            column: {value: place for place, value in enumerate(values, start=_MISSING + 1)}
            for column, values in categories.items()
        }
        sizes = [len(values) + 1 for values in categories.values()]
        self.embeddings = nn.ModuleList(nn.Embedding(size, _dimensions(size)) for size in sizes)
        inputs = sum(_dimensions(size) for size in sizes) + 2 * len(numbers)
        layers: list[nn.Module] = [nn.Dropout(dropout / 2)]
        for width in widths:
            layers += [nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout)]
            inputs = width
        self.layers = nn.Sequential(*layers, nn.Linear(inputs, 2))

    def encode(self, features: pd.DataFrame) -> tuple[Tensor, Tensor]:
        """Return the places of the categories, and the ranks of the numbers with their gaps."""
        places = np.empty((len(features), len(self._places)), dtype=np.int64)
        for column, (name, known) in enumerate(self._places.items()):
            places[:, column] = _as_text(features[name]).map(known).fillna(_MISSING)
        ranks = [
            np.interp(features[name], quantiles, np.linspace(-1, 1, len(quantiles)))
            for name, quantiles in self.config["numbers"].items()
        ]
        ranked = np.stack(ranks, axis=1)
        gaps = np.isnan(ranked)
        numbers = np.concatenate([np.where(gaps, 0.0, ranked), gaps], axis=1)
        return torch.from_numpy(places), torch.tensor(numbers, dtype=torch.float32)

    def forward(self, places: Tensor, numbers: Tensor) -> Tensor:
        """Return the logits of in time and late."""
        embedded = [embedding(places[:, column]) for column, embedding in enumerate(self.embeddings)]
        logits: Tensor = self.layers(torch.cat([*embedded, numbers], dim=1))
        return logits


def fit_entity_embeddings(
    features: pd.DataFrame,
    target: pd.Series,
    *,
    seed: int,
    epochs: int = 6,
    batch_rows: int = 1024,
    learning_rate: float = 0.003,
    width: int = 128,
    dropout: float = 0.5,
) -> EntityEmbeddings:
    """Fit embeddings of carriers, airports, aircraft, hours and days, and the layers behind them.

    Parameters
    ----------
    width
        Of the first hidden layer; the second has half of it.
    """
    text = [name for name in features.columns if isinstance(features[name].dtype, pd.StringDtype)]
    named = [*text, *(name for name in _NAMED_NUMBERS if name in features.columns)]
    network = EntityEmbeddings(
        categories={name: _known(features[name]) for name in named},
        numbers={name: _quantiles(features[name]) for name in features.columns if name not in named},
        widths=[width, width // 2],
        dropout=dropout,
    )
    classes, numbers = numbered_classes(target)
    network.classes = list(classes)
    settings = TorchSettings(
        epochs=epochs,
        batch_rows=batch_rows,
        learning_rate=learning_rate,
        learning_rate_schedule="one_cycle",
        # So few epochs do not learn by heart, and the latest flights are the most like the next ones.
        validation_share=0,
    )
    return fit_module(network, network.encode(features), numbers, settings=settings, seed=seed)


def _known(column: pd.Series) -> list[str]:
    flights = _as_text(column).value_counts()
    return sorted(str(value) for value in flights.index[flights >= _RARE_FLIGHTS])


def _as_text(column: pd.Series) -> pd.Series:
    """Return a column as text; a missing value stays missing."""
    text: pd.Series = column.astype("str") if column.dtype != object else column
    return text.where(column.notna())


def _quantiles(column: pd.Series) -> list[float]:
    known = column.dropna()
    if known.empty:
        return [0.0]
    # Each value once: of several quantiles of one value, which rank it has would be chance.
    return [float(value) for value in np.unique(known.quantile(np.linspace(0, 1, _QUANTILES)))]


def _dimensions(size: int) -> int:
    return min(12, math.ceil(math.sqrt(size)))
