"""What a step draws follows from its place alone, and the process is left as it was."""

import random

import numpy as np
import pytest
import torch

from mlops_core.training.torch.device import reproducible, seed_step
from mlops_core.training.torch.settings import TorchSettings

CPU = torch.device("cpu")


def drawn(*, seed: int = 1, epoch: int = 1, step: int = 0, rank: int = 0) -> list[tuple[float, ...]]:
    """Return what each global generator gives in a step, one after another."""
    seed_step(seed, epoch=epoch, step=step, rank=rank, device=CPU)
    return [tuple(torch.rand(2).tolist()), tuple(np.random.random(2)), (random.random(),)]  # noqa: S311


@pytest.mark.parametrize("change", [{"seed": 2}, {"epoch": 2}, {"step": 1}, {"rank": 1}], ids=str)
def test_every_generator_draws_by_the_steps_place(change: dict[str, int]) -> None:
    with reproducible(TorchSettings(), CPU):
        first, other = drawn(), drawn(**change)

        assert drawn() == first
        assert all(one != two for one, two in zip(first, other, strict=True))


def test_the_process_is_left_as_it_was() -> None:
    def state() -> list[object]:
        return [
            torch.get_rng_state().tolist(),
            np.random.get_state()[1].tolist(),  # type: ignore[index,union-attr]
            random.getstate(),
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.utils.deterministic.fill_uninitialized_memory,
        ]

    before = state()

    with reproducible(TorchSettings(threads=1), CPU):
        drawn()
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.utils.deterministic.fill_uninitialized_memory
        assert torch.get_num_threads() == 1

    assert state() == before
