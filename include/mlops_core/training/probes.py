"""Readings of what processes and GPUs use now.

Measuring never costs a fit: what cannot be measured is left out, and no error of it is raised.
"""

import importlib
import logging
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    import psutil

_Answer = TypeVar("_Answer")

log = logging.getLogger(__name__)


class ProcessReading(NamedTuple):
    """CPU seconds since the processes began, and the memory that they hold now."""

    cpu_seconds: float
    memory_bytes: int


class GpuReading(NamedTuple):
    """One device now; None is what it does not tell."""

    memory_bytes: int | None
    utilisation: float | None


def read_processes() -> ProcessReading:
    """Read this process and its descendants."""
    # Where it is missing, this figure is.
    import psutil

    own = psutil.Process()
    # Parents come before their children. A child that ends meanwhile is then missed until the next reading;
    # the other way round it would be counted twice, by itself and by the parent that has waited for it.
    readings = [reading_or_none(_one_process, process) for process in (own, *own.children(recursive=True))]
    known = [reading for reading in readings if reading is not None]
    return ProcessReading(
        cpu_seconds=sum(reading.cpu_seconds for reading in known),
        memory_bytes=sum(reading.memory_bytes for reading in known),
    )


class VisibleGpus:
    """The GPUs that this process may use, read through NVML; none where there is no library or no driver.

    Parameters
    ----------
    nvml
        The module ``pynvml``; imported if None.
    devices
        Ids of those to read; what ``CUDA_VISIBLE_DEVICES`` lets this process see if None.
    """

    def __init__(self, nvml: Any = None, *, devices: Sequence[str] | None = None) -> None:
        module = nvml or reading_or_none(importlib.import_module, "pynvml")
        self._nvml = module if module is not None and _succeeds(module.nvmlInit) else None
        self._handles = [] if self._nvml is None else reading_or_none(_handles, self._nvml, devices) or []

    def __len__(self) -> int:
        return len(self._handles)

    def read(self) -> list[GpuReading]:
        """Read each device."""
        return [
            GpuReading(
                memory_bytes=reading_or_none(_memory_bytes, self._nvml, handle),
                utilisation=reading_or_none(_utilisation, self._nvml, handle),
            )
            for handle in self._handles
        ]

    def close(self) -> None:
        """Leave NVML; nothing can be read afterwards."""
        if self._nvml is not None:
            _succeeds(self._nvml.nvmlShutdown)
        self._nvml, self._handles = None, []


def reading_or_none(query: Callable[..., _Answer], *arguments: Any) -> _Answer | None:
    """Return what a query answers, or None if it fails in whatever way."""
    try:
        return query(*arguments)
    except Exception as error:  # noqa: BLE001  whatever it is, a fit goes on without this figure
        log.debug("not measured: %s: %s", type(error).__name__, error)
        return None


def _one_process(process: "psutil.Process") -> ProcessReading:
    with process.oneshot():
        times = process.cpu_times()
        # Linux adds up those that ended and were waited for.
        ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
        return ProcessReading(
            cpu_seconds=times.user + times.system + ended, memory_bytes=process.memory_info().rss
        )


def _memory_bytes(nvml: Any, handle: Any) -> int:
    return int(nvml.nvmlDeviceGetMemoryInfo(handle).used)


def _utilisation(nvml: Any, handle: Any) -> float:
    return float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu) / 100


def _handles(nvml: Any, devices: Sequence[str] | None) -> list[Any]:
    """Return NVML's handles of these devices, or of those that CUDA shows this process, by its own rules."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES") if devices is None else ",".join(devices)
    every = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    if visible is None:
        return every
    handles = []
    for device in visible.split(","):
        handle = _find(nvml, device.strip(), every=every)
        # CUDA shows nothing of what comes after the first that it does not know.
        if handle is None:
            break
        handles.append(handle)
    return handles


def _find(nvml: Any, device: str, *, every: list[Any]) -> Any:
    if device.isdecimal():
        return every[int(device)] if int(device) < len(every) else None
    if device.startswith("MIG-"):
        return reading_or_none(nvml.nvmlDeviceGetHandleByUUID, device)
    # CUDA takes the beginning of an identifier for the whole, where only one device's begins so.
    if not device.startswith("GPU-"):
        return None
    named = [handle for handle in every if _uuid(nvml, handle).startswith(device)]
    return named[0] if len(named) == 1 else None


def _uuid(nvml: Any, handle: Any) -> str:
    uuid = nvml.nvmlDeviceGetUUID(handle)
    return uuid.decode() if isinstance(uuid, bytes) else str(uuid)


def _succeeds(action: Callable[[], object]) -> bool:
    def tried() -> bool:
        action()
        return True

    return reading_or_none(tried) is True
