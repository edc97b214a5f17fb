"""Random numbers that a fit may draw."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python's, numpy's and torch's global generators within the block; their state is put back.

    A fit receives the seed as an argument; this catches what draws behind its back, as the first weights of a
    torch module do. Torch is seeded where it is imported already.
    """
    python_state = random.getstate()
    numpy_state = np.random.get_state()
    torch: Any = sys.modules.get("torch")
    torch_state = None if torch is None else torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    if torch is not None:
        torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        if torch is not None:
            torch.set_rng_state(torch_state)
