"""The loop of the orchestration benchmark as one DAG a repetition, of the pack's own operators."""

from airflow.sdk import DAG, XComArg
from orchestration_models import REPETITIONS

from airflow_mlops.operators.evaluation import EvaluateOperator, GateOperator
from airflow_mlops.operators.partition import (
    LoadPartitionOperator,
    PublishPartitionOperator,
    ValidatePartitionOperator,
)
from airflow_mlops.operators.registry import PromoteOperator, RegisterOperator
from airflow_mlops.operators.training import PlanTrainingOperator, TrainOperator

PARTITION = "2013-07"

for size, repetitions in REPETITIONS.items():
    for repetition in range(repetitions):
        reference = f"orchestration_models:{size.upper()}_SCHEDULER_{repetition}"
        with DAG(f"{size}_scheduler_{repetition}", schedule=None):
            load = LoadPartitionOperator(task_id="load", pipeline=reference, partition=PARTITION)
            validate = ValidatePartitionOperator(task_id="validate", pipeline=reference, staged=load.output)
            publish = PublishPartitionOperator(
                task_id="publish", pipeline=reference, staged=load.output, validation=validate.output
            )
            plan = PlanTrainingOperator(task_id="plan", pipeline=reference)
            publish >> plan
            train = TrainOperator.partial(task_id="train", pipeline=reference).expand(job=plan.output)
            evaluate = EvaluateOperator(
                task_id="evaluate", pipeline=reference, plan=XComArg(plan, key="plan"), results=train.output
            )
            gate = GateOperator(task_id="gate", evaluation=evaluate.output)
            register = RegisterOperator(task_id="register", pipeline=reference, evaluation=gate.output)
            PromoteOperator(task_id="promote", version=register.output, evaluation=gate.output)
