"""A container that would rather run without a GPU than not at all."""

import logging

from mlops_core.containers.engine import ContainerEngine, Started
from mlops_core.containers.specification import ContainerJob
from mlops_core.errors import GpuMissingError

log = logging.getLogger(__name__)


def start_where_possible(engine: ContainerEngine, job: ContainerJob, *, cpu_fallback: bool) -> Started:
    """Start a job or adopt what was started, on the CPU if there is no GPU and that is allowed.

    Raises
    ------
    GpuMissingError
        If the engine has no GPU and ``cpu_fallback`` is not given.
    """
    if not cpu_fallback or job.spec.gpus is None:
        return engine.start(job)
    without = job.without_gpus()
    if engine.holds(without):
        return engine.start(without)
    try:
        return engine.start(job)
    except GpuMissingError as error:
        log.warning("%s; %s runs on the CPU, as is allowed", error, job.name)
        return engine.start(without)
