"""What the pack tells Airflow's provider manager."""

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Return the provider's metadata: the connection type, the links and the TaskFlow decorator."""
    return {
        "package-name": "airflow-mlops",
        "name": "MLOps",
        "description": "The whole life of a machine-learning model as DAGs and operators.",
        "hooks": [{"integration-name": "MLflow", "python-modules": ["airflow_mlops.hooks.mlflow"]}],
        "connection-types": [
            {
                "connection-type": "mlflow",
                "hook-class-name": "airflow_mlops.hooks.mlflow.MlflowHook",
                "hook-name": "MLflow",
                "conn-fields": {
                    "ui_url": {
                        "label": "Address for browsers",
                        "schema": {"type": ["string", "null"]},
                        "description": "Where links lead, if browsers find MLflow elsewhere than tasks do.",
                    }
                },
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "extra"],
                    "relabeling": {"host": "Tracking server", "login": "User name"},
                    "placeholders": {"host": "https://mlflow.example.org", "port": "5000"},
                },
            }
        ],
        "extra-links": [
            "airflow_mlops.links.MlflowRunLink",
            "airflow_mlops.links.ValidationPageLink",
            "airflow_mlops.links.EvaluationReportLink",
            "airflow_mlops.links.ModelCardLink",
            "airflow_mlops.links.ReproductionLink",
            "airflow_mlops.links.DriftReportLink",
        ],
        "task-decorators": [
            {"name": "mlflow_run", "class-name": "airflow_mlops.decorators.mlflow_run.mlflow_run_task"},
            {"name": "gpu_docker", "class-name": "airflow_mlops.decorators.gpu_docker.gpu_docker_task"},
        ],
    }
