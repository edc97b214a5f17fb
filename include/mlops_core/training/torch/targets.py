"""A target as a tensor."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor


def numbered_classes(target: pd.Series) -> tuple[tuple[Any, ...], Tensor]:
    """Return the sorted classes, and each row's place among them; the place is that of the class's logit."""
    classes, numbers = np.unique(target.to_numpy(), return_inverse=True)
    return tuple(classes.tolist()), torch.from_numpy(numbers.astype(np.int64))


def values(target: pd.Series) -> Tensor:
    """Return the values of a regression."""
    return torch.tensor(target.to_numpy(), dtype=torch.float32)
