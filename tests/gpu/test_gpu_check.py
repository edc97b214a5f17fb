"""The GPU check never says anything of a GPU where there is none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpu import gpu_check

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
