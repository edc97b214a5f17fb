"""TaskFlow decorators: ``@task.mlflow_run`` and ``@task.gpu_docker``."""
