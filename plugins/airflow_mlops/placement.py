"""Where tasks that need a Docker engine or a GPU wait for their turn."""

from mlops_core.settings import Settings

GPU_POOL = "gpu"
"""Airflow pool with a slot a GPU: a task that needs two takes two."""


def training_queue() -> dict[str, str]:
    """Return the queue of tasks that need a Docker engine, as an argument of an operator."""
    queue = Settings.from_environment().training_queue
    return {} if queue is None else {"queue": queue}
