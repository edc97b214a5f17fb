"""DAGs that serve every model: rolling back, and reconciling MLflow with the ledger."""

from typing import Any

from airflow.sdk import DAG, Param

from airflow_mlops.operators.deployment import DeployOperator, VerifyDeploymentOperator
from airflow_mlops.operators.registry import ReconcileOperator, RollBackOperator
from airflow_mlops.operators.sweep import SweepContainersOperator
from airflow_mlops.placement import training_queue
from airflow_mlops.retries import RETRIES


def fleet_dags() -> tuple[DAG, ...]:
    """Render ``mlops__rollback`` and ``mlops__reconcile``."""
    return rollback_dag(), reconcile_dag()


def rollback_dag() -> DAG:
    """Render roll_back → deploy → verify, for the model that the conf names."""
    with DAG(
        **_arguments("rollback", purpose="put the former version of a model back into production"),
        schedule=None,
        max_active_runs=1,
        params={
            "model": Param(
                type="string",
                pattern="^[a-z][a-z0-9_]{0,62}$",
                title="Model",
                description="Name of the pipeline",
            ),
            "reason": Param(
                type="string", minLength=3, maxLength=500, title="Reason", description="Why, for the ledger"
            ),
            "version": Param(
                None,
                type=["null", "integer"],
                minimum=1,
                title="Version to leave",
                description="Refused where another one is in production; the present one if empty",
            ),
        },
    ) as dag:
        roll_back = RollBackOperator(
            task_id="roll_back",
            model="{{ params.model }}",
            reason="{{ params.reason }}",
            leaving="{{ params.version or '' }}",
        )
        deploy = DeployOperator(task_id="deploy", transition=roll_back.output)
        VerifyDeploymentOperator(task_id="verify", deployment=deploy.output)
    return dag


def reconcile_dag() -> DAG:
    """Render the hourly look after what crashes and hands have left: aliases of MLflow, containers."""
    with DAG(
        **_arguments(
            "reconcile",
            purpose="make MLflow's aliases what the ledger says, remove containers that no task waits for",
        ),
        schedule="@hourly",
        max_active_runs=1,
        # It changes nothing that the ledger did not decide, so it need not wait for anyone.
        is_paused_upon_creation=False,
    ) as dag:
        ReconcileOperator(task_id="reconcile")
        SweepContainersOperator(task_id="sweep_containers", **training_queue())
    return dag


def _arguments(stage: str, *, purpose: str) -> dict[str, Any]:
    return {
        "dag_id": f"mlops__{stage}",
        "description": purpose,
        "doc_md": f"**This DAG:** {purpose}\n",
        "tags": ["mlops", "fleet", stage],
        "catchup": False,
        "default_args": {"owner": "mlops", **RETRIES, "closed_conf": True},
    }
