"""DAGs that serve every model: roll back, adopt, reproduce, retire, and reconcile MLflow with the ledger."""

from typing import Any

from airflow.sdk import DAG, AssetOrTimeSchedule, CronTriggerTimetable, Param

from airflow_mlops.assets import aliases_asset
from airflow_mlops.operators.deployment import DeployOperator, VerifyDeploymentOperator
from airflow_mlops.operators.lifecycle import AdoptOperator, ReproduceOperator, RetireOperator
from airflow_mlops.operators.registry import ReconcileOperator, RollBackOperator
from airflow_mlops.operators.step import StepOperator
from airflow_mlops.operators.sweep import SweepContainersOperator
from airflow_mlops.placement import training_queue
from airflow_mlops.retries import RETRIES
from mlops_core.policies import LONGEST_REASON, SHORTEST_REASON


def fleet_dags() -> tuple[DAG, ...]:
    """Render ``mlops__rollback``, ``…__adopt``, ``…__reproduce``, ``…__retire`` and ``…__reconcile``."""
    return rollback_dag(), adopt_dag(), reproduce_dag(), retire_dag(), reconcile_dag()


def rollback_dag() -> DAG:
    """Render roll_back → deploy → verify, for the model that the conf names."""
    with DAG(
        **_arguments("rollback", purpose="put the former version of a model back into production"),
        schedule=None,
        max_active_runs=1,
        params={
            "model": _model(),
            "reason": _reason(),
            "version": _optional_version(
                title="Version to leave",
                description="Refused where another one is in production; the present one if empty",
            ),
        },
    ) as dag:
        _deploy_and_verify(
            RollBackOperator(
                task_id="roll_back",
                model="{{ params.model }}",
                reason="{{ params.reason }}",
                leaving="{{ params.version or '' }}",
            )
        )
    return dag


def adopt_dag() -> DAG:
    """Render adopt → deploy → verify: a version that a person has chosen past the gates, with a reason."""
    with DAG(
        **_arguments("adopt", purpose="put a version into production by hand, past the gates, with a reason"),
        schedule=None,
        max_active_runs=1,
        params={
            "model": _model(),
            "reason": _reason(),
            "version": _optional_version(
                title="Version", description="The one that MLflow's alias champion names if empty"
            ),
        },
    ) as dag:
        _deploy_and_verify(
            AdoptOperator(
                task_id="adopt",
                model="{{ params.model }}",
                reason="{{ params.reason }}",
                version="{{ params.version or '' }}",
            )
        )
    return dag


def reproduce_dag() -> DAG:
    """Render the rebuilding of a version from its record; it fails where the second differs."""
    with DAG(
        **_arguments("reproduce", purpose="build a version again from its record and compare the two"),
        schedule=None,
        params={
            "model": _model(),
            "version": _version(),
            "environment": Param(
                "recorded",
                type="string",
                enum=["recorded", "current"],
                title="Environment",
                description="The recorded packages, or those that are installed",
            ),
        },
    ) as dag:
        ReproduceOperator(
            task_id="reproduce",
            model="{{ params.model }}",
            version="{{ params.version }}",
            environment="{{ params.environment }}",
            **training_queue(),
        )
    return dag


def retire_dag() -> DAG:
    """Render the retirement of a version that nothing depends on."""
    with DAG(
        **_arguments("retire", purpose="take a version out of use, and archive its files and its card"),
        schedule=None,
        max_active_runs=1,
        params={"model": _model(), "version": _version(), "reason": _reason()},
    ) as dag:
        RetireOperator(
            task_id="retire",
            model="{{ params.model }}",
            version="{{ params.version }}",
            reason="{{ params.reason }}",
        )
    return dag


def reconcile_dag() -> DAG:
    """Render the look after what crashes and hands have left: aliases of MLflow, containers.

    It runs every hour, and within a minute where the triggerer sees that an alias differs.
    """
    with DAG(
        **_arguments(
            "reconcile",
            purpose="make MLflow's aliases what the ledger says, remove containers that no task waits for",
        ),
        schedule=AssetOrTimeSchedule(
            timetable=CronTriggerTimetable("@hourly", timezone="UTC"), assets=[aliases_asset()]
        ),
        max_active_runs=1,
        # It changes nothing that the ledger did not decide, so it need not wait for anyone.
        is_paused_upon_creation=False,
    ) as dag:
        ReconcileOperator(task_id="reconcile")
        SweepContainersOperator(task_id="sweep_containers", **training_queue())
    return dag


def _deploy_and_verify(decided: StepOperator) -> None:
    """Add what follows a transition: the model server serves what is in production."""
    deploy = DeployOperator(task_id="deploy", transition=decided.output)
    VerifyDeploymentOperator(task_id="verify", deployment=deploy.output)


def _model() -> Param:
    return Param(
        type="string", pattern="^[a-z][a-z0-9_]{0,62}$", title="Model", description="Name of the pipeline"
    )


def _version() -> Param:
    return Param(type="integer", minimum=1, title="Version")


def _optional_version(*, title: str, description: str) -> Param:
    return Param(None, type=["null", "integer"], minimum=1, title=title, description=description)


def _reason() -> Param:
    return Param(
        type="string",
        minLength=SHORTEST_REASON,
        maxLength=LONGEST_REASON,
        title="Reason",
        description="Why, for the ledger",
    )


def _arguments(stage: str, *, purpose: str) -> dict[str, Any]:
    return {
        "dag_id": f"mlops__{stage}",
        "description": purpose,
        "doc_md": f"**This DAG:** {purpose}\n",
        "tags": ["mlops", "fleet", stage],
        "catchup": False,
        "default_args": {"owner": "mlops", **RETRIES, "closed_conf": True},
    }
