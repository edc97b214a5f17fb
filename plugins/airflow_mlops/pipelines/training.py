"""The training DAG: from a plan to a verified deployment."""

from typing import Any

from airflow.sdk import DAG, Param, PartitionedAssetTimetable, XComArg

from airflow_mlops.assets import retraining_request_asset
from airflow_mlops.operators.deployment import DeployOperator, VerifyDeploymentOperator
from airflow_mlops.operators.evaluation import EvaluateOperator, GateOperator
from airflow_mlops.operators.registry import PromoteOperator, RegisterOperator
from airflow_mlops.operators.training import PlanTrainingOperator, TrainOperator
from airflow_mlops.pipelines.defaults import dag_arguments
from airflow_mlops.placement import GPU_POOL, gpu_slots, training_queue
from mlops_core.pipeline import Pipeline
from mlops_core.policies import LONGEST_REASON
from mlops_core.runners import Docker


def training_dag(pipeline: Pipeline, *, reference: str) -> DAG:
    """Render plan → train (a task a candidate) → evaluate → gate → register → promote → deploy → verify.

    Where the risk is not low, a person approves between register and promote. Started by the retraining
    policy's request, from the UI's form, or by the API.
    """
    with DAG(
        **dag_arguments(
            pipeline,
            stage="train",
            purpose="fit the candidates, let the gates decide, put the best into production",
        ),
        schedule=PartitionedAssetTimetable(assets=retraining_request_asset(pipeline.name)),
        params=_form(pipeline),
        render_template_as_native_obj=True,
    ) as dag:
        plan = PlanTrainingOperator(task_id="plan", pipeline=reference)
        train = TrainOperator.partial(
            task_id="train",
            pipeline=reference,
            map_index_template="{{ task.job['candidate'] }}",
            **_place(pipeline),
        ).expand(job=plan.output)
        evaluate = EvaluateOperator(
            task_id="evaluate", pipeline=reference, plan=XComArg(plan, key="plan"), results=train.output
        )
        gate = GateOperator(task_id="gate", evaluation=evaluate.output)
        register = RegisterOperator(task_id="register", pipeline=reference, evaluation=gate.output)
        approval = _approval(pipeline, reference=reference, version=register.output, evaluation=gate.output)
        promote = PromoteOperator(
            task_id="promote",
            pipeline=reference,
            version=register.output,
            evaluation=gate.output,
            approval=approval,
        )
        deploy = DeployOperator(task_id="deploy", transition=promote.output)
        VerifyDeploymentOperator(task_id="verify", deployment=deploy.output)
    return dag


def _approval(pipeline: Pipeline, *, reference: str, version: XComArg, evaluation: XComArg) -> XComArg | None:
    """Return the answer of the person whom the risk asks for; nothing for a low risk."""
    if pipeline.risk == "low":
        return None
    from airflow_mlops.operators.approval import ApproveOperator

    approve = ApproveOperator(
        task_id="approve",
        pipeline=reference,
        version=version,
        evaluation=evaluation,
        approvers=pipeline.approval.approvers,
        timeout_hours=pipeline.approval.timeout_hours,
        not_the_requester=pipeline.risk == "high",
    )
    output: XComArg = approve.output
    return output


def _place(pipeline: Pipeline) -> dict[str, Any]:
    """Return the queue and the pool of the fits. Airflow maps one task, so all candidates share them."""
    runners = [pipeline.runner_of(candidate.name) for candidate in pipeline.candidates]
    containers = [runner for runner in runners if isinstance(runner, Docker)]
    if not containers:
        return {}
    gpus = max(runner.gpus_per_node * runner.nodes for runner in containers)
    return {**training_queue(), **({"pool": GPU_POOL, "pool_slots": gpu_slots(gpus)} if gpus else {})}


def _form(pipeline: Pipeline) -> dict[str, Any]:
    """Return the typed form of the web UI, which is also the schema of the API's conf."""
    names = [candidate.name for candidate in pipeline.candidates]
    return {
        "reason": Param(
            "", type="string", maxLength=LONGEST_REASON, title="Reason", description="Why, for the record"
        ),
        "candidates": Param(
            None,
            type=["null", "array"],
            items={"type": "string", "enum": names},
            minItems=1,
            uniqueItems=True,
            title="Candidates",
            description=f"Which to fit, of {', '.join(names)}; all if empty",
        ),
        "seed": Param(
            None,
            type=["null", "integer"],
            minimum=0,
            maximum=2**32 - 1,
            title="Seed",
            description=f"Of the fit; {pipeline.seed} if empty",
        ),
    }
