"""What processes and GPUs use now, read without ever failing."""

import subprocess
import sys
from types import SimpleNamespace
from unittest.mock import Mock, create_autospec

import psutil
import pynvml
import pytest

from mlops_core.training.probes import GpuReading, VisibleGpus, read_processes

UUIDS = ("GPU-1f00", "GPU-1fee", "GPU-2abc")
BURN = "import time\nwhile time.process_time() < 0.3: pass"
BURNT_SECONDS = 0.25
HOLD_MB = 64
HOLD = f"held = b'x' * ({HOLD_MB} << 20); print('held', flush=True); input()"


def nvml_of(*uuids: str) -> Mock:
    """NVML of a machine with these devices; a handle is a device's number."""
    nvml = create_autospec(pynvml)
    nvml.nvmlDeviceGetCount.return_value = len(uuids)
    nvml.nvmlDeviceGetHandleByIndex.side_effect = range(len(uuids)).__getitem__
    nvml.nvmlDeviceGetUUID.side_effect = uuids.__getitem__
    nvml.nvmlDeviceGetMemoryInfo.side_effect = lambda handle: SimpleNamespace(used=(handle + 1) << 30)
    nvml.nvmlDeviceGetUtilizationRates.side_effect = lambda handle: SimpleNamespace(gpu=10 * handle)
    return nvml


def seen(gpus: VisibleGpus) -> list[str]:
    """The devices that are read, told by their memory."""
    return [UUIDS[(reading.memory_bytes >> 30) - 1] for reading in gpus.read()]


def child(code: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_seconds_of_a_child_that_has_ended_are_counted() -> None:
    before = read_processes()

    subprocess.run([sys.executable, "-c", BURN], check=True)

    assert read_processes().cpu_seconds - before.cpu_seconds > BURNT_SECONDS


def test_seconds_of_a_child_that_nobody_has_waited_for_are_counted_once() -> None:
    before = read_processes()
    with child(f"{BURN}\nprint('burnt', flush=True)\ninput()") as process:
        process.stdout.readline()
        alive = read_processes()
        process.communicate("\n")
        ended = read_processes()

    assert alive.cpu_seconds - before.cpu_seconds > BURNT_SECONDS
    assert ended.cpu_seconds - alive.cpu_seconds < BURNT_SECONDS


def test_memory_of_a_childs_child_is_counted_while_it_lives() -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD!r}])"
    before = read_processes()
    with child(code) as process:
        process.stdout.readline()
        alive = read_processes()
        process.communicate("\n")
    ended = read_processes()

    assert alive.memory_bytes - before.memory_bytes > HOLD_MB << 20
    assert alive.memory_bytes - ended.memory_bytes > HOLD_MB << 20


def test_a_process_that_ends_while_it_is_read_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with child("input()") as process:
        gone = psutil.Process(process.pid)
        process.communicate("\n")
    monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: [gone])

    reading = read_processes()

    assert reading.memory_bytes > 0


@pytest.mark.parametrize(
    ("visible", "devices"),
    [
        (None, ["GPU-1f00", "GPU-1fee", "GPU-2abc"]),
        ("2,0", ["GPU-2abc", "GPU-1f00"]),
        (" 1 ", ["GPU-1fee"]),
        ("GPU-1fee,0", ["GPU-1fee", "GPU-1f00"]),
        ("GPU-2", ["GPU-2abc"]),
        ("GPU-1f,0", []),
        ("GPU-9", []),
        ("1,9,0", ["GPU-1fee"]),
        ("1,-1,0", ["GPU-1fee"]),
        ("-1", []),
        ("", []),
        ("NoDevFiles", []),
    ],
)
def test_the_devices_are_those_that_cuda_shows(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, devices: list[str]
) -> None:
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    gpus = VisibleGpus(nvml_of(*UUIDS))

    assert seen(gpus) == devices
    assert len(gpus) == len(devices)


def test_a_part_of_a_device_is_asked_for_by_its_identifier(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = nvml_of(*UUIDS)
    nvml.nvmlDeviceGetHandleByUUID.side_effect = {"MIG-7": 2}.__getitem__
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-7,MIG-8,0")

    assert seen(VisibleGpus(nvml)) == ["GPU-2abc"]


def test_a_device_tells_memory_and_the_share_of_time_it_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")

    assert VisibleGpus(nvml_of(*UUIDS)).read() == [GpuReading(memory_bytes=2 << 30, utilisation=0.1)]


def test_a_query_that_the_device_does_not_support_costs_its_own_figure_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nvml = nvml_of("GPU-1f00")
    nvml.nvmlDeviceGetUtilizationRates.side_effect = pynvml.NVMLError_NotSupported
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    assert VisibleGpus(nvml).read() == [GpuReading(memory_bytes=1 << 30, utilisation=None)]


@pytest.mark.parametrize("query", ["nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex"])
def test_without_a_driver_that_answers_there_are_no_devices(query: str) -> None:
    nvml = nvml_of(*UUIDS)
    getattr(nvml, query).side_effect = pynvml.NVMLError_DriverNotLoaded

    gpus = VisibleGpus(nvml)

    assert len(gpus) == 0
    assert gpus.read() == []


def test_without_the_library_there_are_no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)

    gpus = VisibleGpus()

    assert gpus.read() == []
    gpus.close()


def test_nvml_is_left_once_and_nothing_is_read_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = nvml_of(*UUIDS)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    gpus = VisibleGpus(nvml)

    gpus.close()
    gpus.close()

    assert gpus.read() == []
    nvml.nvmlShutdown.assert_called_once_with()


def test_nvml_that_was_never_entered_is_not_left() -> None:
    nvml = nvml_of(*UUIDS)
    nvml.nvmlInit.side_effect = pynvml.NVMLError_LibraryNotFound

    VisibleGpus(nvml).close()

    nvml.nvmlShutdown.assert_not_called()
