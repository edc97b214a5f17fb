"""What a container says of the task that it belongs to, for people and for ``mlops__reconcile``."""

from typing import TYPE_CHECKING

from mlops_core.containers.labels import DAG_ID, MAP_INDEX, RUN_ID, STACK, TASK_ID

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mlops_core.settings import Settings


def container_labels(context: "Context", settings: "Settings") -> dict[str, str]:
    """Return the labels that name a task instance."""
    task_instance = context["ti"]
    return {
        STACK: settings.stack_name,
        DAG_ID: task_instance.dag_id,
        RUN_ID: task_instance.run_id,
        TASK_ID: task_instance.task_id,
        MAP_INDEX: str(task_instance.map_index if task_instance.map_index is not None else -1),
    }
