"""Evaluation of a million held-out rows, with intervals from 2,000 resamples, over the predictions alone.

Boosted trees predict whether a row is positive from ten numbers. "Predictions" is what the model answers, and
nothing else. "Evaluation" asks the model too, checks its answer and the rows' digest, computes every metric,
and resamples the rows for every interval. Each figure is of a fresh process, with the libraries imported, the
model fitted and the rows in memory when the clock starts; memory is what is held above that at its peak.
Processor time is of all threads: on a shared machine it says more than the clock.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

ROWS, TRAINING_ROWS, FEATURES = 1_000_000, 50_000, 10
RESAMPLES = 2_000
WAYS = ("predictions", "evaluation")
COLUMNS = (
    ("seconds", "seconds", ".2f"),
    ("processor seconds", "processor_seconds", ".2f"),
    ("peak MiB", "mebibytes", ".0f"),
)


def draw(rows: int, *, seed: int) -> tuple[pd.DataFrame, pd.Series]:
    """Draw rows of which a fifth is positive, more where the features are large."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, FEATURES))
    signal = values[:, 0] + values[:, 1] * values[:, 2] + 0.5 * values[:, 3] + random.normal(size=rows)
    names = [f"x{number}" for number in range(FEATURES)]
    return pd.DataFrame(values, columns=names), pd.Series(signal > 1.4, name="positive")


class PeakMemory:
    """The most memory that the process held above what it held at first, as Linux has counted it.

    A thread that samples would take turns with what is measured.
    """

    def __enter__(self) -> "PeakMemory":
        Path("/proc/self/clear_refs").write_text("5")
        self._before = self._peak()
        return self

    def __exit__(self, *_: object) -> None:
        self.mebibytes = (self._peak() - self._before) / 2**10

    def _peak(self) -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])


def measure_here(way: str, *, rows: int, resamples: int) -> None:
    """Run one way in this process, and print seconds, mebibytes and an interval as JSON."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    from mlops_core.evaluation import metrics  # noqa: F401  registers them
    from mlops_core.evaluation.catalogue import Task
    from mlops_core.evaluation.holdout import HeldOutRows
    from mlops_core.evaluation.measurement import attempt, measure
    from mlops_core.models.loaded import LoadedModel
    from mlops_core.policies import EvaluationPolicy

    features, target = draw(TRAINING_ROWS, seed=1)
    model = LoadedModel.of(
        HistGradientBoostingClassifier(random_state=0).fit(features, target),
        task=Task.BINARY_CLASSIFICATION,
        features=dict.fromkeys(features.columns, "double"),
        input_example=features.head(5),
        digest="",
    )
    features, truth = draw(rows, seed=2)
    held_out = HeldOutRows(features=features, truth=truth, dropped=0)
    area = None
    with PeakMemory() as memory:
        started, used = time.perf_counter(), time.process_time()
        if way == "predictions":
            model.predict(held_out.features)
        else:
            answered = attempt(model, rows=held_out, task=model.task)
            policy = EvaluationPolicy(resamples=resamples)
            [measured] = measure([answered], task=model.task, policy=policy, seed=0)
            area = next(score for score in measured.scores if score.metric == "roc_auc").model_dump()
        found = {
            "seconds": time.perf_counter() - started,
            "processor_seconds": time.process_time() - used,
        }
    sys.stdout.write(json.dumps({**found, "mebibytes": memory.mebibytes, "area": area}) + "\n")


def measure(way: str, *, rows: int, resamples: int) -> dict[str, Any]:
    """Run one way in a process of its own."""
    command = [sys.executable, __file__, "--way", way, "--rows", str(rows), "--resamples", str(resamples)]
    # Threads that wait by spinning would take each other's processor where it is shared.
    environment = {"OMP_WAIT_POLICY": "passive", **os.environ}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    arguments = parser.parse_args()
    sizes = {"rows": arguments.rows, "resamples": arguments.resamples}
    if arguments.way:
        measure_here(arguments.way, **sizes)
        return
    found = {way: measure(way, **sizes) for way in WAYS}
    title = f"{arguments.rows:,} held-out rows, {arguments.resamples:,} resamples, every metric"
    table = Table("", *(heading for heading, _, _ in COLUMNS), title=title)
    for way in WAYS:
        table.add_row(way, *(f"{found[way][unit]:{shown}}" for _, unit, shown in COLUMNS))
    ratios = (found["evaluation"][unit] / found["predictions"][unit] for _, unit, _ in COLUMNS)
    table.add_row("ratio", *(f"{ratio:.1f} x" for ratio in ratios))
    Console(width=110).print(table, f"ROC AUC with its interval: {found['evaluation']['area']}")


if __name__ == "__main__":
    main()
