"""Where tasks that need a Docker engine or a GPU wait for their turn."""

from mlops_core.settings import Settings

GPU_POOL = "gpu"
"""Airflow pool with a slot a GPU: a task that needs two takes two."""


def gpu_slots(wanted: int) -> int:
    """Return how many slots of the pool a task takes that asks for this many GPUs.

    Airflow never starts a task that takes more slots than its pool has. Who asks for more GPUs than there are
    takes the whole pool instead, starts, and is told so before a container is made, or does without.
    """
    slots = Settings.from_environment().gpu_slots
    return min(wanted, slots) if slots else wanted


def training_queue() -> dict[str, str]:
    """Return the queue of tasks that need a Docker engine, as an argument of an operator."""
    queue = Settings.from_environment().training_queue
    return {} if queue is None else {"queue": queue}
