"""The orchestration tax: one loop under the real scheduler over the same loop in one bare Python process.

The loop is ingest, validate, train, evaluate, gate, register, promote, on flights: six months are there
already, the seventh is ingested, and a gradient boosting is fitted on the first six. Both sides use the
same MLflow server. The scheduler's side is timed from the API call that triggers the run until the run has
succeeded; the bare side is a whole Python process, its start and its imports included. The two take turns.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestration_models import ITERATIONS, REPETITIONS
from rich.console import Console
from rich.table import Table

from mlops_core.cli.airflow_api import AirflowClient
from mlops_core.data.ingest import load_partition
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.pipeline import load_pipeline

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
MLOPS = Path(sys.executable).with_name("mlops")
HISTORY = tuple(f"2013-{month:02d}" for month in range(1, 7))
GOALS = {"short": 2.0, "long": 1.1}
POLL_S = 0.1


@dataclass(frozen=True)
class Bench:
    """A running platform and where both sides keep their data."""

    environment: Mapping[str, str]
    api: AirflowClient
    scheduler_home: Path
    bare_home: Path

    def scheduled(self, size: str, repetition: int) -> float:
        """Wall seconds of one run under the scheduler."""
        dag_id = f"{size}_scheduler_{repetition}"
        self.api.set_paused(dag_id, paused=False)
        started = time.perf_counter()
        run = self.api.trigger(dag_id)
        while not (run := self.api.run(dag_id, run.run_id)).is_over:
            time.sleep(POLL_S)
        seconds = time.perf_counter() - started
        if run.state != "success":
            failed = [task for task in self.api.task_instances(run) if task.state == "failed"]
            raise SystemExit("\n".join(self.api.log_tail(run, task, lines=40) for task in failed))
        return seconds

    def bare(self, size: str, repetition: int) -> float:
        """Wall seconds of one bare process."""
        environment = {
            **self.environment,
            "MLOPS_HOME": str(self.bare_home),
            "MLOPS_TRACKING_URI": self.environment["MLOPS_TRACKING_URI"],
        }
        reference = f"orchestration_models:{size.upper()}_BARE_{repetition}"
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, str(HERE / "orchestration_bare.py"), reference], env=environment, check=True
        )
        return time.perf_counter() - started


@contextmanager
def platform(folder: Path) -> Iterator[Bench]:
    """Bring the embedded platform up with the benchmark's DAGs, and down again."""
    dags = folder / "dags"
    dags.mkdir()
    shutil.copy(HERE / "orchestration_dags.py", dags)
    ports = {"AIRFLOW": 28080, "MLFLOW": 25000, "MODEL_SERVER": 28000}
    environment = {
        **os.environ,
        "OMP_WAIT_POLICY": "passive",
        "MLOPS_HOME": str(folder / "scheduler"),
        "MLOPS_DAGS_FOLDER": str(dags),
        "MLOPS_TRACKING_URI": f"http://127.0.0.1:{ports['MLFLOW']}",
        "PYTHONPATH": str(HERE),
        **{f"MLOPS_{name}_PORT": str(port) for name, port in ports.items()},
    }
    subprocess.run([MLOPS, "up"], env=environment, cwd=PROJECT, check=True)
    try:
        password = json.loads((folder / "scheduler" / "passwords.json").read_text())["admin"]
        with AirflowClient(f"http://127.0.0.1:{ports['AIRFLOW']}", user="admin", password=password) as api:
            yield Bench(environment, api, folder / "scheduler", folder / "bare")
    finally:
        subprocess.run([MLOPS, "down"], env=environment, cwd=PROJECT, check=True)


def ingest_history(bench: Bench) -> None:
    """Publish the six months once and give every repetition a copy of the table."""
    template = SnapshotStore(str(bench.bare_home / "data"))
    pipeline = load_pipeline("orchestration_models:SHORT_BARE_0")
    for partition in HISTORY:
        template.publish(pipeline.name, load_partition(pipeline, partition=partition, store=template))
    source = Path(template.table_uri(pipeline.name))
    for home, side in ((bench.scheduler_home, "scheduler"), (bench.bare_home, "bare")):
        store = SnapshotStore(str(home / "data"))
        for size, repetitions in REPETITIONS.items():
            for repetition in range(repetitions):
                target = Path(store.table_uri(f"{size}_{side}_{repetition}"))
                if target != source:
                    shutil.copytree(source, target)


def main() -> None:
    """Run both sides in turns and print the table."""
    table = Table(title="Orchestration tax: ingest, validate, train, evaluate, gate, register, promote")
    for heading in ("loop", "runs", "bare process s", "scheduler s", "ratio", "goal"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as name, platform(Path(name)) as bench:
        ingest_history(bench)
        for size, repetitions in REPETITIONS.items():
            pairs = [
                (bench.bare(size, repetition), bench.scheduled(size, repetition))
                for repetition in range(repetitions)
            ]
            bare, scheduled = (statistics.median(column) for column in zip(*pairs, strict=True))
            table.add_row(
                f"{size}, {ITERATIONS[size]} iterations",
                str(repetitions),
                f"{bare:.1f}",
                f"{scheduled:.1f}",
                f"{statistics.median(two / one for one, two in pairs):.2f}",
                f"{GOALS[size]:.1f}",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
