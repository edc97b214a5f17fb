"""Losses of classes, odds and values, and their sum over an epoch."""

import math

import pytest
import torch

from mlops_core.errors import EvaluationError
from mlops_core.training.torch import losses
from mlops_core.training.torch.losses import LossSum, cross_entropy, mean_squared_error

CPU = torch.device("cpu")


@pytest.fixture
def rarely(monkeypatch: pytest.MonkeyPatch) -> LossSum:
    """Look at every third step, as a GPU does at every fiftieth."""
    monkeypatch.setitem(losses._STEPS_BETWEEN_LOOKS, "cpu", 3)
    return LossSum(CPU)


def take_steps(total: LossSum, values: list[float], *, done: int = 0, steps: int = 8) -> None:
    for step, value in enumerate(values, start=done + 1):
        total.add(torch.tensor(value))
        total.look(epoch=2, step=step, steps=steps)


def test_two_classes_lose_the_same_as_odds_and_as_logits() -> None:
    odds, target = torch.tensor([0.3, -2.0, 1.0]), torch.tensor([1, 0, 0])

    logits = torch.stack([torch.zeros(3), odds], dim=1)

    torch.testing.assert_close(cross_entropy(odds, target), cross_entropy(logits, target))


def test_values_lose_their_mean_square() -> None:
    assert float(mean_squared_error(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0]))) == 5.0


def test_on_the_cpu_every_step_is_looked_at() -> None:
    with pytest.raises(EvaluationError, match=r"the loss is nan in epoch 2, step 2/8: the fit has diverged"):
        take_steps(LossSum(CPU), [1.0, math.nan])


def test_several_steps_at_once_are_named_as_what_they_are(rarely: LossSum) -> None:
    with pytest.raises(EvaluationError, match="the loss is inf in epoch 2, one of the steps 4 to 6/8"):
        take_steps(rarely, [1.0, 1.0, 1.0, 1.0, math.inf, 1.0])


def test_a_loss_is_not_hidden_by_those_after_it(rarely: LossSum) -> None:
    with pytest.raises(EvaluationError, match="one of the steps 1 to 3/8"):
        take_steps(rarely, [math.inf, -math.inf, 1.0])


def test_the_last_steps_of_an_epoch_are_looked_at(rarely: LossSum) -> None:
    with pytest.raises(EvaluationError, match="one of the steps 7 to 8/8"):
        take_steps(rarely, [1.0] * 7 + [math.nan])


def test_after_a_restart_only_the_steps_since_are_named(rarely: LossSum) -> None:
    rarely.start(4.0, step=4)

    with pytest.raises(EvaluationError, match="one of the steps 5 to 6/8"):
        take_steps(rarely, [1.0, math.nan], done=4)


def test_a_sum_that_went_through_a_checkpoint_is_the_very_same() -> None:
    values = torch.rand(1000, generator=torch.Generator().manual_seed(1))
    whole, first, second = LossSum(CPU), LossSum(CPU), LossSum(CPU)
    for value in values:
        whole.add(value)
    for value in values[:317]:
        first.add(value)
    second.start(first.read(), step=317)
    for value in values[317:]:
        second.add(value)

    assert second.read() == whole.read()
