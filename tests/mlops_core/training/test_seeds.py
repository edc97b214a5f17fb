"""Global generators are seeded within a fit and untouched outside it."""

import contextlib
import random

import numpy as np

from mlops_core.training.seeds import seeded


def draw() -> tuple[float, float]:
    return random.random(), float(np.random.random())  # noqa: S311  the generators under test


def test_the_same_seed_draws_the_same() -> None:
    with seeded(7):
        first = draw()
    with seeded(7):
        second = draw()
    with seeded(8):
        third = draw()

    assert first == second
    assert first[0] != third[0]
    assert first[1] != third[1]


def test_the_state_before_is_put_back_even_after_an_error() -> None:
    random.seed(1)
    np.random.seed(1)
    expected = draw()
    random.seed(1)
    np.random.seed(1)

    with contextlib.suppress(ZeroDivisionError), seeded(7):
        _ = draw()[0] / 0

    assert draw() == expected
