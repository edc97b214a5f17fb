"""The GPU check never says anything of a GPU where there is none."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from gpu import gpu_check
from mlops_core.training.resources import Usage

pytestmark = pytest.mark.integration

SCRIPT = Path(__file__).with_name("gpu_check.py")


def check(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_gpu_it_says_so_and_fails() -> None:
    completed = check()

    assert completed.returncode == 1
    assert "There is no GPU here" in completed.stdout
    assert "Nothing was measured" in completed.stdout


def test_on_the_cpu_it_compares_both_loops_where_that_is_allowed() -> None:
    completed = check("--allow-cpu", "--rows", "5000", "--epochs", "2", "--pairs", "1")

    assert completed.returncode == 0, completed.stderr
    assert "There is no GPU here" in completed.stdout
    assert "bare PyTorch" in completed.stdout
    assert "library" in completed.stdout


def test_a_loop_that_leaves_out_steps_is_no_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    task = gpu_check.task_of_candidate(3000, device="cpu", epochs=2)
    shorter = task._replace(settings=task.settings.model_copy(update={"epochs": 1}))
    fit = gpu_check.fit_ours
    monkeypatch.setattr(gpu_check, "fit_ours", lambda _: fit(shorter))

    with pytest.raises(SystemExit, match=r"bare: 6 steps .* library: 3"):
        gpu_check.compare(task, pairs=1)


def rates(fit: Callable[[gpu_check.Task], Any], task: gpu_check.Task) -> list[tuple[float, float, float]]:
    """The learning rate and both betas of each step."""
    seen: list[tuple[float, float, float]] = []

    def see(optimiser: torch.optim.Optimizer, *_: Any) -> None:
        (group,) = optimiser.param_groups
        seen.append((group["lr"], *group["betas"]))

    hook = register_optimizer_step_post_hook(see)
    fit(task)
    hook.remove()
    return seen


def test_both_loops_take_steps_of_the_same_size() -> None:
    drawn = gpu_check.task_of_candidate(3000, device="cpu", epochs=1)
    assert drawn.settings.learning_rate_schedule == "one_cycle"
    # torch's cycle is longer by a part of a step, which shows where there are few.
    task = drawn._replace(settings=drawn.settings.model_copy(update={"batch_rows": 20}))

    bare, ours = rates(gpu_check.fit_bare, task), rates(gpu_check.fit_ours, task)

    near = 0.03 * task.settings.learning_rate
    assert len(bare) == 150
    assert bare == [(pytest.approx(rate, abs=near), *betas) for rate, *betas in ours]


@pytest.mark.parametrize(
    ("pace", "code"), [(95.0, 0), (94.0, 1), (float("nan"), 1)], ids=["reached", "missed", "no number"]
)
def test_on_a_gpu_it_fails_below_its_goal_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pace: float, code: int
) -> None:
    runs = [gpu_check.Run(rows_a_second, 10, 0.5, Usage(wall_seconds=1.0)) for rows_a_second in (100.0, pace)]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a device")
    for name in ("task_of_candidate", "fit_bare", "fit_ours"):
        monkeypatch.setattr(gpu_check, name, lambda *_, **__: None)
    monkeypatch.setattr(gpu_check, "compare", lambda *_, **__: [tuple(runs)])
    monkeypatch.setattr(sys, "argv", ["gpu_check.py"])

    assert gpu_check.main() == code

    said = capsys.readouterr().out
    assert "a device" in said
    assert ("below the goal of 0.95" in said) is (code == 1)
