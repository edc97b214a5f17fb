"""The declared optimiser, and a learning rate that follows from the step's place alone."""

import pytest
import torch
from torch import nn

from mlops_core.training.torch.optimisers import learning_rate, make_optimiser
from mlops_core.training.torch.settings import TorchSettings


def test_sgd_takes_momentum_and_decay() -> None:
    settings = TorchSettings(optimiser="sgd", learning_rate=0.5, momentum=0.3, weight_decay=0.2)

    optimiser = make_optimiser(nn.Linear(2, 1), settings)

    assert type(optimiser) is torch.optim.SGD
    assert {name: optimiser.defaults[name] for name in ("lr", "momentum", "weight_decay")} == {
        "lr": 0.5,
        "momentum": 0.3,
        "weight_decay": 0.2,
    }


def test_adamw_takes_decay() -> None:
    optimiser = make_optimiser(nn.Linear(2, 1), TorchSettings(learning_rate=0.5, weight_decay=0.2))

    assert type(optimiser) is torch.optim.AdamW
    assert (optimiser.defaults["lr"], optimiser.defaults["weight_decay"]) == (0.5, 0.2)


def test_every_weight_is_learnt() -> None:
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))

    (group,) = make_optimiser(module, TorchSettings()).param_groups

    assert [id(weight) for weight in group["params"]] == [id(weight) for weight in module.parameters()]


def test_a_constant_rate_is_constant() -> None:
    settings = TorchSettings(learning_rate=0.02, epochs=3)

    assert {learning_rate(settings, step=step, steps=10) for step in range(30)} == {0.02}


def test_one_cycle_is_that_of_torch() -> None:
    settings = TorchSettings(learning_rate=0.1, learning_rate_schedule="one_cycle", epochs=4)
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))])
    # Torch's last rate is a share of its first one, ours of the highest.
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 0.1, total_steps=41, cycle_momentum=False, final_div_factor=10_000 / 25
    )
    rates = [learning_rate(settings, step=step, steps=10) for step in range(40)]

    assert rates[0] == pytest.approx(0.1 / 25)
    assert rates[-1] == pytest.approx(0.1 / 10_000)
    assert max(rates) == pytest.approx(0.1, rel=0.01)
    assert rates.index(max(rates)) == 12
    theirs = []
    for _ in range(40):
        theirs.append(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
    assert rates == pytest.approx(theirs, abs=0.01)


def test_a_fit_of_one_step_has_a_rate() -> None:
    settings = TorchSettings(learning_rate=0.1, learning_rate_schedule="one_cycle", epochs=1)

    assert learning_rate(settings, step=0, steps=1) == pytest.approx(0.1 / 25)
