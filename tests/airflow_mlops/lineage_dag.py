"""Runs one toy model from its data to its predictions, each step as an operator, in an Airflow of its own.

Writes what became of the model into the file that it is given, for the test that started it.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, XComArg

from airflow_mlops.operators.evaluation import EvaluateOperator
from airflow_mlops.operators.partition import (
    LoadPartitionOperator,
    PublishPartitionOperator,
    ValidatePartitionOperator,
)
from airflow_mlops.operators.registry import RegisterOperator
from airflow_mlops.operators.scoring import ScoreOperator
from airflow_mlops.operators.training import PlanTrainingOperator, TrainOperator
from life_models import LIFE
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import VersionRecord
from mlops_core.settings import Settings

PIPELINE = "life_models:LIFE"
PARTITIONS = ("2013-01", "2013-02", "2013-03")


class ScoreNewestOperator(ScoreOperator):
    """Scores the newest partition: a run of ``dag.test`` has no partition key."""

    def _published(self, context: Any) -> Any:  # noqa: ARG002
        return self.snapshots.published(LIFE.name, PARTITIONS[-1])


def train_dag() -> DAG:
    with DAG(
        "lineage_train",
        schedule=None,
        render_template_as_native_obj=True,
        params={"candidates": Param(["trees"], type="array")},
    ) as dag:
        former: Any = None
        for number, partition in enumerate(PARTITIONS, 1):
            load = LoadPartitionOperator(task_id=f"load_{number}", pipeline=PIPELINE, partition=partition)
            validate = ValidatePartitionOperator(
                task_id=f"validate_{number}", pipeline=PIPELINE, staged=load.output
            )
            publish = PublishPartitionOperator(
                task_id=f"publish_{number}", pipeline=PIPELINE, staged=load.output, validation=validate.output
            )
            if former is not None:
                former >> load
            former = publish
        plan = PlanTrainingOperator(task_id="plan", pipeline=PIPELINE)
        train = TrainOperator.partial(task_id="train", pipeline=PIPELINE).expand(job=plan.output)
        evaluate = EvaluateOperator(
            task_id="evaluate", pipeline=PIPELINE, plan=XComArg(plan, key="plan"), results=train.output
        )
        RegisterOperator(task_id="register", pipeline=PIPELINE, evaluation=evaluate.output)
        former >> plan
    return dag


def score_dag() -> DAG:
    with DAG("lineage_score", schedule=None) as dag:
        ScoreNewestOperator(task_id="score", pipeline=PIPELINE)
    return dag


def run(dag: DAG) -> None:
    state = dag.test().state
    if state != "success":
        raise SystemExit(f"{dag.dag_id} ended as {state}")


def promoted() -> VersionRecord:
    with Ledger(Settings.from_environment().ledger_url) as ledger:
        (version,) = ledger.versions(LIFE.name)
        ledger.promote(
            version.model,
            version=version.version,
            expected_generation=0,
            operation_key="promote",
            evidence_digest=str(version.evidence_digest),
            actor="ada",
            reason="first",
        )
    return version


def main(ended_as: str) -> None:
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, stdout=subprocess.DEVNULL)
    run(train_dag())
    version = promoted()
    run(score_dag())
    made = {"model_id": version.uri.rpartition("/")[2], "digest": version.digest, "name": version.model}
    Path(ended_as).write_text(json.dumps(made))


if __name__ == "__main__":
    main(sys.argv[1])
