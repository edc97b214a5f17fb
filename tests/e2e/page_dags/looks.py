"""The DAGs that the Models page acts through: a training that is only its question, and the roll back."""

from airflow.sdk import DAG, Param

from airflow_mlops.operators.approval import ApproveOperator
from airflow_mlops.pipelines.fleet import rollback_dag

with DAG(
    "flight_delay__train",
    schedule=None,
    params={
        "reason": Param("", type="string"),
        "version": Param(None, type=["null", "object"]),
        "evaluation": Param(None, type=["null", "object"]),
    },
    render_template_as_native_obj=True,
    is_paused_upon_creation=False,
):
    ApproveOperator(
        task_id="approve",
        version="{{ params.version }}",
        evaluation="{{ params.evaluation }}",
        approvers=("admin", "grace"),
    )

rollback_dag()
