"""``@task.mlflow_run``: a Python task inside a tracked run.

The run is tied to the DAG, the DAG run, the task and its map index. A retry adopts the run of the tries
before it, so one task instance has one run however often it dies; a tag names the last try.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk.bases.decorator import DecoratedOperator, TaskDecorator, task_decorator_factory

from airflow_mlops.hooks.mlflow import MlflowHook
from airflow_mlops.links import MlflowRunLink
from airflow_mlops.operators.step import effect_key

if TYPE_CHECKING:
    from airflow.sdk import Context


class MlflowRunDecoratedOperator(DecoratedOperator, PythonOperator):
    """Call a Python function inside a tracked run.

    The run is MLflow's active run while the function runs, so ``mlflow.log_metric`` and autologging just
    work. It ends as finished or failed, as the function does.

    Parameters
    ----------
    experiment
        Name of the MLflow experiment; the DAG's id if not given. Templated.
    mlflow_conn_id
        Connection of type ``mlflow``.
    """

    custom_operator_name = "@task.mlflow_run"
    template_fields: Sequence[str] = (*PythonOperator.template_fields, "experiment")
    operator_extra_links = (MlflowRunLink(),)

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any],
        op_kwargs: Mapping[str, Any],
        experiment: str | None = None,
        mlflow_conn_id: str = MlflowHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kwargs_to_upstream={
                "python_callable": python_callable,
                "op_args": op_args,
                "op_kwargs": op_kwargs,
            },
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            **kwargs,
        )
        self.experiment = experiment
        self.mlflow_conn_id = mlflow_conn_id
        self.evidence: dict[str, str] = {}

    def execute(self, context: "Context") -> Any:
        """Open or adopt the run, call the function, end the run."""
        import mlflow

        hook = MlflowHook(self.mlflow_conn_id)
        run_id = self._tracked_run(hook, context)
        mlflow.set_tracking_uri(hook.sign_in())
        with mlflow.start_run(run_id=run_id):
            return super().execute(context)

    def _tracked_run(self, hook: MlflowHook, context: "Context") -> str:
        from mlops_core.tracking import adopt_or_create_run, registry_errors

        task_instance = context["ti"]
        client = hook.get_conn()
        run_id = adopt_or_create_run(
            client,
            experiment=self.experiment or self.dag_id,
            operation_key=effect_key(context),
            run_name=f"{task_instance.task_id} {task_instance.run_id}",
            tags={
                "airflow.dag_id": task_instance.dag_id,
                "airflow.run_id": task_instance.run_id,
                "airflow.task_id": task_instance.task_id,
                "airflow.map_index": str(task_instance.map_index),
            },
        )
        with registry_errors("note the task's try"):
            client.set_tag(run_id, "airflow.try_number", str(task_instance.try_number))
            experiment_id = client.get_run(run_id).info.experiment_id
        self.evidence["mlflow_run"] = hook.run_url(run_id, experiment_id=experiment_id)
        return run_id


def mlflow_run_task(
    python_callable: Callable[..., Any] | None = None,
    multiple_outputs: bool | None = None,
    **kwargs: Any,
) -> TaskDecorator:
    """Make ``@task.mlflow_run`` of a function; see :class:`MlflowRunDecoratedOperator`."""
    return task_decorator_factory(
        python_callable=python_callable,
        multiple_outputs=multiple_outputs,
        decorated_operator_class=MlflowRunDecoratedOperator,
        **kwargs,
    )
