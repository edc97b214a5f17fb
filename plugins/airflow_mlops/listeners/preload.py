"""Pays the heavy imports once, in the process that LocalExecutor forks its tasks from.

A task that trains imports about four seconds of libraries. On Linux the scheduler forks LocalExecutor's
workers and those fork each task, so what the scheduler has imported costs a task nothing. Only imports
happen here: a thread pool started before a fork would leave the child with locks that nobody holds.

It is off unless ``MLOPS_PRELOAD=1`` is in the scheduler's environment, and in no other component's.
"""

import importlib
import logging
import os

from airflow.jobs.job import Job
from airflow.listeners import hookimpl

log = logging.getLogger(__name__)

SWITCH = "MLOPS_PRELOAD"
MODULES = (
    "deltalake",
    "mlflow.sklearn",
    "mlflow.tracking",
    "pandas",
    "pyarrow.parquet",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.pipeline",
    "skops.io",
    "great_expectations",
    "mlops_core.data.validation",
    "mlops_core.evaluation.evaluate",
    "mlops_core.monitoring.monitor",
    "mlops_core.registry.promotion",
    "mlops_core.training.train",
)


@hookimpl
def on_starting(component: object) -> None:
    """Import the modules when the component's job is made, before the executor forks.

    Airflow calls this in every task's process too, with another kind of component; those find the modules
    there.
    """
    if os.environ.get(SWITCH) != "1" or not isinstance(component, Job):
        return
    for module in MODULES:
        try:
            importlib.import_module(module)
        except ImportError:
            log.warning("cannot preload %s; tasks that need it will import it themselves", module)
    log.info("preloaded %d modules for LocalExecutor's tasks", len(MODULES))
