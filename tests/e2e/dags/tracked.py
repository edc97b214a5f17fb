"""A task inside a tracked run, which fails at its first try."""

from airflow.sdk import DAG, task

with DAG("tracked", schedule=None, default_args={"retries": 1, "retry_delay": 1}):

    @task.mlflow_run(experiment="tracked")
    def explore(factor: int, ti=None) -> float:
        """Log to the active run."""
        import mlflow

        mlflow.log_metric("tries", ti.try_number)
        if ti.try_number == 1:
            raise RuntimeError("the first try fails")
        return factor * 2.0

    explore(21)
