"""DAGs of the pack's operators in which things go wrong on purpose."""

import os
import signal
from typing import Any

from airflow.sdk import DAG, XComArg

from airflow_mlops.operators.evaluation import EvaluateOperator, GateOperator
from airflow_mlops.operators.partition import (
    LoadPartitionOperator,
    PublishPartitionOperator,
    ValidatePartitionOperator,
)
from airflow_mlops.operators.registry import PromoteOperator, RegisterOperator
from airflow_mlops.operators.training import PlanTrainingOperator, TrainOperator

PARTITIONS = ("2013-01", "2013-02")


class KilledAfterRegister(RegisterOperator):
    """Registers, and dies before Airflow knows; the next try must adopt."""

    def step(self, context: Any) -> Any:
        """Register, then die by SIGKILL on the first try."""
        version = super().step(context)
        if context["ti"].try_number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return version


class KilledAfterPromote(PromoteOperator):
    """Promotes, and dies before Airflow knows; the next try must adopt."""

    def step(self, context: Any) -> Any:
        """Promote, then die by SIGKILL on the first try."""
        transition = super().step(context)
        if context["ti"].try_number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return transition


def trained(reference: str) -> tuple[PlanTrainingOperator, Any]:
    """Ingest two partitions and train on them; return the plan and the mapped results."""
    plan = PlanTrainingOperator(task_id="plan", pipeline=reference)
    before: Any = None
    for partition in PARTITIONS:
        load = LoadPartitionOperator(task_id=f"load_{partition}", pipeline=reference, partition=partition)
        validate = ValidatePartitionOperator(
            task_id=f"validate_{partition}", pipeline=reference, staged=load.output
        )
        publish = PublishPartitionOperator(
            task_id=f"publish_{partition}", pipeline=reference, staged=load.output, validation=validate.output
        )
        if before is not None:
            before >> load
        before = publish
    before >> plan
    return plan, TrainOperator.partial(task_id="train", pipeline=reference).expand(job=plan.output)


def judged(reference: str, plan: PlanTrainingOperator, train: Any, *, suffix: str = "") -> Any:
    """Evaluate and gate; return where the report lies."""
    evaluate = EvaluateOperator(
        task_id=f"evaluate{suffix}", pipeline=reference, plan=XComArg(plan, key="plan"), results=train.output
    )
    return GateOperator(task_id=f"gate{suffix}", evaluation=evaluate.output).output


RETRY_AT_ONCE = {"retries": 2, "retry_delay": 1}

with DAG("killed", schedule=None, default_args=RETRY_AT_ONCE):
    plan, train = trained("life_models:KILLED")
    report = judged("life_models:KILLED", plan, train)
    register = KilledAfterRegister(task_id="register", pipeline="life_models:KILLED", evaluation=report)
    KilledAfterPromote(task_id="promote", version=register.output, evaluation=report)

with DAG("race", schedule=None, default_args=RETRY_AT_ONCE):
    plan, train = trained("life_models:RACE")
    for runner in ("one", "two"):
        report = judged("life_models:RACE", plan, train, suffix=f"_{runner}")
        register = RegisterOperator(
            task_id=f"register_{runner}", pipeline="life_models:RACE", evaluation=report
        )
        PromoteOperator(task_id=f"promote_{runner}", version=register.output, evaluation=report)
