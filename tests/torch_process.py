"""Fits in a process of its own: `job JOB RESULT PASS` a train job, killed in that pass, or `fit FOLDER`.

`fit` writes the weights of each process that torchrun has started to a file of its own.
"""

import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

import torch_models
from mlops_core.training import train
from mlops_core.training.__main__ import main
from mlops_core.training.context import TrainingContext, training_context
from mlops_core.training.processes import Processes, joined
from mlops_core.training.torch.fitting import fit_module


def fit_alone(*, seed: int) -> nn.Module:
    """Fit 203 rows, which neither batches nor processes share evenly."""
    drawn = torch.Generator().manual_seed(1)
    numbers = torch.randn(203, 4, generator=drawn)
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    classes = (numbers.sum(dim=1) > 0).long()
    return fit_module(module, (numbers,), classes, settings=torch_models.settings(), seed=3)


def slow_down_the_end(seconds: float) -> None:
    """Let the run be marked late, as a busy server would."""
    finish_run = train.finish_run

    def finish_late(*arguments: Any, **named: Any) -> None:
        time.sleep(seconds)
        finish_run(*arguments, **named)

    train.finish_run = finish_late  # type: ignore[assignment]


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    if sys.argv[1] == "job":
        job, result, number = sys.argv[2:]
        if int(number):
            torch_models.during_forward = torch_models.kill_at(int(number))
        slow_down_the_end(float(os.environ.get("SLOW_END_SECONDS", "0")))
        sys.exit(main(["--job", job, "--result", result]))
    processes = Processes.from_environment()
    context = TrainingContext(run_id="", checkpoints=Path(sys.argv[2]) / "checkpoints")
    with joined(processes), training_context(context):
        # First weights of its own in each process: the fit must start from the same ones.
        fitted = fit_alone(seed=processes.rank)
    torch.save(fitted.state_dict(), Path(sys.argv[2]) / f"{processes.rank}.pt")
    os._exit(0)
