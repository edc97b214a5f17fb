"""DAG parsing: milliseconds a DAG of generated models over plain hand-written DAGs of the same tasks.

Each figure is the median of several fresh processes. A process has Airflow imported when the clock starts,
as the DAG processor's workers have, and parses one file. The plain file writes the same DAGs out by hand:
same ids, tasks, chains, schedules, assets and Params, with Airflow's own ``PythonOperator``.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

MODEL_COUNTS = (1, 100, 1000)
REPEATS = 5
DAGS_A_MODEL = 4

DECLARATIONS = """
from mlops_core.pipeline import AbsoluteGate, Candidate, ChampionGate, Pipeline


def load(partition): ...


def fit(features, target, *, seed): ...


for number in range({count}):
    globals()[f"MODEL_{{number}}"] = Pipeline(
        name=f"model_{{number}}",
        task="binary_classification",
        loader="generated_models:load",
        target="y",
        candidates=tuple(Candidate(name=name, fit="generated_models:fit") for name in ("a", "b")),
        gates=(AbsoluteGate(metric="roc_auc", minimum=0.6), ChampionGate(metric="roc_auc", margin=0.01)),
    )
"""

GENERATED = """
from airflow_mlops.pipelines import pipeline_dags

for number in range({count}):
    pipeline_dags(f"generated_models:MODEL_{{number}}")
"""

PLAIN = """
from datetime import timedelta

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, Asset, Param, PartitionedAssetTimetable, PartitionedAtRuntime

DEFAULTS = {{
    "owner": "mlops",
    "retries": 4,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=2),
}}


def work(*arguments): ...


def task(name, *inputs, **options):
    return PythonOperator(
        task_id=name, python_callable=work, op_args=[one.output for one in inputs], **options
    )


for number in range({count}):
    model = f"model_{{number}}"
    snapshot = Asset(name=f"{{model}}__snapshot", uri=f"mlops://{{model}}/snapshot", group="mlops")
    predictions = Asset(name=f"{{model}}__predictions", uri=f"mlops://{{model}}/predictions", group="mlops")
    request = Asset(
        name=f"{{model}}__retraining_request", uri=f"mlops://{{model}}/retraining_request", group="mlops"
    )

    with DAG(f"{{model}}__ingest", schedule=PartitionedAtRuntime(), max_active_runs=1, default_args=DEFAULTS):
        load = task("load")
        validate = task("validate", load)
        task("publish", load, validate, outlets=[snapshot])

    with DAG(
        f"{{model}}__train",
        schedule=PartitionedAssetTimetable(assets=request),
        default_args=DEFAULTS,
        params={{
            "reason": Param("", type="string", maxLength=500),
            "candidates": Param(None, type=["null", "array"], items={{"type": "string", "enum": ["a", "b"]}}),
            "seed": Param(None, type=["null", "integer"], minimum=0),
        }},
    ):
        plan = task("plan")
        train = PythonOperator.partial(task_id="train", python_callable=work).expand(op_args=plan.output)
        evaluate = task("evaluate", plan, train)
        gate = task("gate", evaluate)
        register = task("register", gate)
        promote = task("promote", register, gate)
        deploy = task("deploy", promote)
        task("verify", deploy)

    with DAG(f"{{model}}__score", schedule=PartitionedAssetTimetable(assets=snapshot), default_args=DEFAULTS):
        task("score", outlets=[predictions])

    with DAG(
        f"{{model}}__monitor",
        schedule=PartitionedAssetTimetable(assets=predictions),
        max_active_runs=1,
        default_args=DEFAULTS,
    ):
        watch = task("watch")
        decide = task("decide", watch)
        task("request_retraining", decide, outlets=[request])
"""

TIMER = """
import json, runpy, sys, time

import airflow.sdk
import airflow.dag_processing.dagbag
from airflow.providers.standard.operators.python import PythonOperator

started = time.perf_counter()
names = runpy.run_path(sys.argv[1])
print(json.dumps(time.perf_counter() - started))
"""


def seconds_to_parse(file: Path, folder: Path) -> float:
    """Run one file in a fresh process; wall seconds, Airflow's own import not counted."""
    completed = subprocess.run(
        [sys.executable, "-c", TIMER, str(file)],
        env={"PYTHONPATH": str(folder), "PATH": "", "AIRFLOW_HOME": str(folder), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(completed.stdout.splitlines()[-1]))


def measure(count: int) -> tuple[float, float]:
    """Median milliseconds a DAG: generated, plain. The two take turns, so drift of the machine hits
    both."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "generated_models.py").write_text(DECLARATIONS.format(count=count))
        generated, plain = folder / "generated_dags.py", folder / "plain_dags.py"
        generated.write_text(GENERATED.format(count=count))
        plain.write_text(PLAIN.format(count=count))
        pairs = [
            (seconds_to_parse(generated, folder), seconds_to_parse(plain, folder)) for _ in range(REPEATS)
        ]
    milliseconds = [
        statistics.median(column) * 1000 / (count * DAGS_A_MODEL) for column in zip(*pairs, strict=True)
    ]
    return milliseconds[0], milliseconds[1]


def main() -> None:
    """Print the table."""
    table = Table(title="DAG parsing, milliseconds a DAG")
    for heading in ("models", "DAGs", "generated", "hand-written", "ratio", "goal"):
        table.add_column(heading, justify="right")
    for count in MODEL_COUNTS:
        generated, plain = measure(count)
        table.add_row(
            f"{count:,}",
            f"{count * DAGS_A_MODEL:,}",
            f"{generated:.2f}",
            f"{plain:.2f}",
            f"{generated / plain:.2f}",
            "1.20",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
