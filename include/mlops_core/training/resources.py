"""What a fit uses: processors, memory and GPUs, sampled while it runs and recorded on its run."""

import math
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pydantic import Field

from mlops_core.document import Document
from mlops_core.errors import DeclarationError
from mlops_core.training.probes import ProcessReading, VisibleGpus, read_processes, reading_or_none

if TYPE_CHECKING:
    from mlflow import MlflowClient

METRIC_PREFIX = "system/"
"""MLflow shows what begins so on the page of a run's system metrics."""

_MEBIBYTE = 2**20


class Usage(Document):
    """What a block of code used on its machine; None is what was not measured.

    Parameters
    ----------
    cpu_seconds
        Of the process and all its descendants, those that ended within the block included.
    peak_memory_mb
        The highest sample of their resident memory together, in MiB; what they share counts in each.
    gpus, gpu_seconds
        Devices that the process could see, and the seconds that it held them, summed over the devices.
    gpu_utilisation
        Share of the time in which a kernel ran, the mean over time and devices, in [0, 1].
    gpu_peak_memory_mb
        The highest sample of memory in use on one device, in MiB, by whomever.
    """

    wall_seconds: float = Field(ge=0)
    cpu_seconds: float | None = Field(default=None, ge=0)
    peak_memory_mb: float | None = Field(default=None, ge=0)
    gpus: int | None = Field(default=None, ge=1)
    gpu_seconds: float | None = Field(default=None, ge=0)
    gpu_utilisation: float | None = Field(default=None, ge=0, le=1)
    gpu_peak_memory_mb: float | None = Field(default=None, ge=0)


class ResourceMonitor:
    """Measure what the block uses, in a thread of its own that samples until the end.

    Whatever else the process does at the same time is measured with it.

    Parameters
    ----------
    interval_seconds
        Between samples. None samples at the end and where ``sample`` is called.
    clock
        Seconds, from wherever it counts.
    processes
        Reads the processes.
    gpus
        Opens the GPUs, when the block begins.

    Examples
    --------
    >>> with ResourceMonitor() as monitor:
    ...     total = sum(range(1000))
    >>> monitor.usage.peak_memory_mb > 1
    True
    """

    def __init__(
        self,
        *,
        interval_seconds: float | None = 1.0,
        clock: Callable[[], float] = time.monotonic,
        processes: Callable[[], ProcessReading] = read_processes,
        gpus: Callable[[], VisibleGpus] = VisibleGpus,
    ) -> None:
        self._interval = interval_seconds
        self._clock, self._processes, self._open_gpus = clock, processes, gpus
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._gpus = self._open_gpus()
        self._gpu_count = len(self._gpus)
        self._busy_seconds, self._observed_seconds = 0.0, 0.0
        self._gpu_memory: int | None = None
        first = reading_or_none(self._processes)
        self._cpu_before = None if first is None else first.cpu_seconds
        self._cpu = None if first is None else 0.0
        self._memory = None if first is None else first.memory_bytes
        self._began = self._sampled = self._clock()
        self._ended.clear()
        if self._interval is not None:
            self._thread = threading.Thread(target=self._watch, name="resource-monitor", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.sample()
        self._gpus.close()

    @property
    def usage(self) -> Usage:
        """What was used from the beginning of the block until the last sample."""
        with self._lock:
            seconds, count = self._sampled - self._began, self._gpu_count
            observed = self._observed_seconds
            return Usage(
                wall_seconds=seconds,
                cpu_seconds=self._cpu,
                peak_memory_mb=_mebibytes(self._memory),
                gpus=count or None,
                gpu_seconds=seconds * count if count else None,
                gpu_utilisation=min(1.0, self._busy_seconds / observed) if observed else None,
                gpu_peak_memory_mb=_mebibytes(self._gpu_memory),
            )

    def sample(self) -> None:
        """Read everything once."""
        reading, devices = reading_or_none(self._processes), self._gpus.read()
        with self._lock:
            now = self._clock()
            # A device answers for the time before it is asked.
            span, self._sampled = now - self._sampled, now
            if reading is not None and self._cpu is not None and self._cpu_before is not None:
                # What ended without being waited for is gone from the sum; it has been used all the same.
                self._cpu = max(self._cpu, reading.cpu_seconds - self._cpu_before)
            if reading is not None:
                self._memory = max(self._memory or 0, reading.memory_bytes)
            for device in devices:
                if device.utilisation is not None:
                    self._busy_seconds += device.utilisation * span
                    self._observed_seconds += span
                if device.memory_bytes is not None:
                    self._gpu_memory = max(self._gpu_memory or 0, device.memory_bytes)

    def _watch(self) -> None:
        while not self._ended.wait(self._interval):
            self.sample()


def log_usage(client: "MlflowClient", run_id: str, usage: Usage | Mapping[str, float | None]) -> None:
    """Record a usage on a tracked run, as metrics ``system/cpu_seconds`` and so on, in one call.

    Parameters
    ----------
    usage
        By name without the prefix; None is left out.

    Raises
    ------
    DeclarationError
        If a value is NaN or infinite, which MLflow would store as another number.
    RegistryUnavailableError
        If MLflow does not answer.
    """
    from mlflow.entities import Metric

    from mlops_core.tracking import registry_errors

    values = usage.model_dump() if isinstance(usage, Usage) else usage
    known = {name: float(value) for name, value in values.items() if value is not None}
    wrong = {name: value for name, value in known.items() if not math.isfinite(value)}
    if wrong:
        raise DeclarationError(f"usage {wrong} is not finite; leave out what was not measured")
    if not known:
        return
    now_milliseconds = int(time.time() * 1000)
    metrics = [Metric(f"{METRIC_PREFIX}{name}", value, now_milliseconds, 0) for name, value in known.items()]
    with registry_errors(f"log the usage of run {run_id}"):
        client.log_batch(run_id, metrics=metrics)


def _mebibytes(value: int | None) -> float | None:
    return None if value is None else value / _MEBIBYTE
