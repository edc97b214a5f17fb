"""How fast the library's loop fits on this machine's GPU, over a bare PyTorch loop that does the same.

The network is flight_delay's own, with its settings, on drawn rows that look like flights. The bare loop
keeps all rows on the device, waits for it at the end alone, and does nothing but fit: it seeds no step, looks
at no loss and asks for no deterministic algorithms. Both do the same steps on the same rows, in turns.

Needs torch, numpy, pandas and pydantic-settings, and no server; what was used is shown where psutil and
nvidia-ml-py are there. Outside the project's environment:

    PYTHONPATH=include python3 tests/gpu/gpu_check.py
"""

import argparse
import copy
import itertools
import logging
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.optimizer import register_optimizer_step_post_hook

from flight_delay import networks
from flight_delay.columns import FEATURES
from mlops_core.training.resources import ResourceMonitor, Usage
from mlops_core.training.torch.fitting import fit_module
from mlops_core.training.torch.settings import TorchSettings

GOAL = 0.95
ROWS = {"cuda": 1_000_000, "cpu": 100_000}
WARM_UP_ROWS = 10_000
PAIRS = 3
SAMPLE_SECONDS = 0.2
LARGEST_LOSS_DIFFERENCE = 0.05

TEXTS = {
    "carrier": 16,
    "origin": 3,
    "dest": 105,
    "aircraft_type": 3,
    "aircraft_manufacturer": 35,
    "aircraft_engine_type": 6,
}
WHOLE_NUMBERS = {"departure_hour": 24, "arrival_hour": 24, "day_of_week": 7}
_GAPS = 0.02


class Task(NamedTuple):
    """What the candidate gives to ``fit_module``."""

    module: nn.Module
    encoded: tuple[Tensor, ...]
    target: Tensor
    settings: TorchSettings

    @property
    def rows(self) -> int:
        """Rows that are learnt from over the whole fit."""
        return len(self.target) * self.settings.epochs


class Run(NamedTuple):
    """One fit: its pace, the steps that it made, the loss that it ends with, and what it used."""

    rows_a_second: float
    steps: int
    loss: float
    usage: Usage


def draw_flights(rows: int, *, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    """Draw rows with flight_delay's columns; late are those of some hours and carriers, mostly."""
    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {}
    for name in FEATURES:
        if name in TEXTS:
            columns[name] = pd.Series(random.integers(TEXTS[name], size=rows)).astype("string")
        elif name in WHOLE_NUMBERS:
            columns[name] = random.integers(WHOLE_NUMBERS[name], size=rows)
        else:
            columns[name] = np.where(random.random(rows) < _GAPS, np.nan, random.normal(size=rows))
    frame = pd.DataFrame(columns)
    odds = (frame["departure_hour"] - 14) / 5 + (frame["carrier"].astype("int64") % 3 - 1.5)
    late = random.random(rows) < 1 / (1 + np.exp(-odds.to_numpy(dtype=np.float64)))
    return frame, pd.Series(late.astype(np.int64))


def task_of_candidate(rows: int, *, device: str, epochs: int | None) -> Task:
    """Return what the candidate would fit."""
    taken: list[Task] = []

    def take(module: nn.Module, encoded: Any, target: Tensor, *, settings: TorchSettings, **_: Any) -> Any:
        changes: dict[str, Any] = {"device": device, "validation_share": 0.0}
        if epochs is not None:
            changes["epochs"] = epochs
        taken.append(Task(module, tuple(encoded), target, settings.model_copy(update=changes)))
        return module

    torch.manual_seed(0)
    with patch.object(networks, "fit_module", take):
        networks.fit_entity_embeddings(*draw_flights(rows), seed=0)
    return taken[0]


def fit_ours(task: Task) -> nn.Module:
    """Fit with the library."""
    module = copy.deepcopy(task.module)
    return fit_module(module, task.encoded, task.target, settings=task.settings, seed=0)


def fit_bare(task: Task) -> nn.Module:
    """Fit with nothing but PyTorch."""
    settings, device = task.settings, torch.device(task.settings.device)
    if (settings.optimiser, settings.mixed_precision) != ("adamw", "off"):
        raise SystemExit(f"the bare loop knows adamw in float32 alone, not {settings}")
    module = copy.deepcopy(task.module).to(device).train()
    encoded, target = [tensor.to(device) for tensor in task.encoded], task.target.to(device)
    optimiser = torch.optim.AdamW(
        module.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    steps = settings.epochs * -(-len(target) // settings.batch_rows)
    schedule: torch.optim.lr_scheduler.LRScheduler
    if settings.learning_rate_schedule == "one_cycle":
        # The library leaves AdamW's betas alone; torch would cycle the first one.
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, settings.learning_rate, total_steps=steps, cycle_momentum=False
        )
    else:
        schedule = torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)
    for _ in range(settings.epochs):
        for places in torch.randperm(len(target), device=device).split(settings.batch_rows):
            optimiser.zero_grad(set_to_none=True)
            loss = cross_entropy(module(*(tensor[places] for tensor in encoded)), target[places])
            loss.backward()
            if settings.gradient_norm_limit is not None:
                nn.utils.clip_grad_norm_(module.parameters(), settings.gradient_norm_limit)
            optimiser.step()
            schedule.step()
    return module.cpu().eval()


def measure(fit: Callable[[Task], nn.Module], task: Task) -> Run:
    """Fit once. The weights come back to the CPU, which waits for the device."""
    steps = itertools.count()
    counted = register_optimizer_step_post_hook(lambda *_: next(steps))
    with ResourceMonitor(interval_seconds=SAMPLE_SECONDS) as monitor:
        began = time.perf_counter()
        module = fit(task)
        seconds = time.perf_counter() - began
    counted.remove()
    with torch.no_grad():
        loss = float(cross_entropy(module(*task.encoded), task.target))
    return Run(task.rows / seconds, next(steps), loss, monitor.usage)


def compare(task: Task, *, pairs: int) -> list[tuple[Run, Run]]:
    """Fit bare and with the library in turns; stop if one of them did not do the work."""
    found = [(measure(fit_bare, task), measure(fit_ours, task)) for _ in range(pairs)]
    for bare, ours in found:
        if bare.steps != ours.steps or not abs(bare.loss - ours.loss) < LARGEST_LOSS_DIFFERENCE:
            raise SystemExit(
                f"bare: {bare.steps} steps to a loss of {bare.loss:.4f}, library: {ours.steps} to "
                f"{ours.loss:.4f}; this is no comparison"
            )
    return found


def ratio_of(found: list[tuple[Run, Run]]) -> float:
    """Return the library's pace over the bare loop's: the median of the pairs."""
    return statistics.median(ours.rows_a_second / bare.rows_a_second for bare, ours in found)


def table_of(found: list[tuple[Run, Run]], *, title: str) -> str:
    """Put both sides beside each other."""
    sides = {
        "bare PyTorch": (1.0, [bare for bare, _ in found]),
        "library": (ratio_of(found), [ours for _, ours in found]),
    }
    lines = [("", "rows a second", "ratio", "final loss", "GPU busy", "GPU memory", "memory")]
    for name, (shown, runs) in sides.items():
        cells = (
            name,
            f"{statistics.median(run.rows_a_second for run in runs):,.0f}",
            f"{shown:.2f}",
            f"{statistics.median(run.loss for run in runs):.4f}",
            _median(runs, "gpu_utilisation", "{:.0%}"),
            _median(runs, "gpu_peak_memory_mb", "{:,.0f} MiB"),
            _median(runs, "peak_memory_mb", "{:,.0f} MiB"),
        )
        lines.append(cells)
    table = ["".join(f"{cell:>15}" for cell in line) for line in lines]
    return "\n".join([title, *table, f"median of {len(found)} pairs; the goal is a ratio of {GOAL:.2f}"])


def _median(runs: list[Run], name: str, words: str) -> str:
    values = [getattr(run.usage, name) for run in runs]
    known = [value for value in values if value is not None]
    return words.format(statistics.median(known)) if known else "-"


def main() -> int:
    """Print the table; return 1 where nothing was measured, or a GPU missed the goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--allow-cpu", action="store_true", help="measure on the CPU where there is no GPU")
    parser.add_argument("--rows", type=int, help="to fit on; fewer without a GPU")
    parser.add_argument("--epochs", type=int, help="the candidate's own by default")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        print("There is no GPU here: torch.cuda.is_available() is False.")  # noqa: T201
        if not arguments.allow_cpu:
            print("Nothing was measured; --allow-cpu measures on the CPU.")  # noqa: T201
            return 1
    logging.basicConfig(level=logging.WARNING)
    rows = arguments.rows or ROWS[device]
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    warm_up = task_of_candidate(WARM_UP_ROWS, device=device, epochs=1)
    fit_bare(warm_up), fit_ours(warm_up)
    found = compare(task_of_candidate(rows, device=device, epochs=arguments.epochs), pairs=arguments.pairs)
    print(table_of(found, title=f"Fitting flight_delay's network on {rows:,} rows: {name}"))  # noqa: T201
    if device == "cuda" and not ratio_of(found) >= GOAL:
        print(f"The ratio of {ratio_of(found):.3f} is below the goal of {GOAL:.2f}.")  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
