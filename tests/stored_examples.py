"""A small model of each format that models are stored in, made in a moment, and the rows that it fits."""

from typing import TYPE_CHECKING

import toy_models
from mlops_core.training.rows import LabelledRows, labelled_rows

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline as Steps

    from torch_models import Network


def binary_rows() -> LabelledRows:
    return labelled_rows(toy_models.load("2013-01"), pipeline=toy_models.BINARY)


def trees(rows: LabelledRows) -> "Steps":
    return toy_models.fit_trees(rows.features, rows.target, seed=1)


def network() -> "Network":
    """Not fitted; the same weights at every call."""
    import torch

    import torch_models

    torch.manual_seed(0)
    return torch_models.Network(colours=list(torch_models.COLOURS), outputs=2)
