"""What a block uses, from samples, and what of it reaches the tracked run."""

import math
import threading
from collections.abc import Iterable
from unittest.mock import create_autospec

import pytest
from mlflow import MlflowClient

from mlops_core.errors import DeclarationError, RegistryUnavailableError
from mlops_core.tracking import tracking_client
from mlops_core.training.probes import GpuReading, ProcessReading, VisibleGpus, read_processes
from mlops_core.training.resources import ResourceMonitor, Usage, log_usage

MIB = 1 << 20
ENOUGH_SECONDS = 60


class Machine:
    """Plays readings in their order, and repeats the last; its clock ticks a second a reading."""

    def __init__(
        self, *processes: tuple[float, int] | Exception, gpus: Iterable[list[GpuReading]] = ()
    ) -> None:
        self._processes, self._gpus = list(processes), list(gpus)
        self.now = 100.0
        self.opened = create_autospec(VisibleGpus, instance=True)
        self.opened.__len__.return_value = len(self._gpus[0]) if self._gpus else 0
        self.opened.read.side_effect = lambda: self._next(self._gpus) if self._gpus else []

    def monitor(self) -> ResourceMonitor:
        return ResourceMonitor(
            interval_seconds=None, clock=lambda: self.now, processes=self._read, gpus=lambda: self.opened
        )

    def _read(self) -> ProcessReading:
        reading = self._next(self._processes)
        if isinstance(reading, Exception):
            raise reading
        return ProcessReading(reading[0], reading[1] * MIB)

    @staticmethod
    def _next(readings: list) -> object:
        return readings.pop(0) if len(readings) > 1 else readings[0]


def busy(*utilisations: float | None, memory_mb: int = 0) -> list[GpuReading]:
    return [GpuReading(memory_bytes=memory_mb * MIB, utilisation=each) for each in utilisations]


def test_seconds_are_those_of_the_block_and_memory_is_the_highest_sample() -> None:
    machine = Machine((7.0, 100), (8.5, 300), (9.0, 200))

    with machine.monitor() as monitor:
        machine.now += 2
        monitor.sample()
        machine.now += 3

    assert monitor.usage == Usage(wall_seconds=5, cpu_seconds=2, peak_memory_mb=300)


def test_memory_at_the_beginning_counts() -> None:
    with Machine((7.0, 500), (8.0, 100)).monitor() as monitor:
        pass

    assert monitor.usage.peak_memory_mb == 500


def test_seconds_never_go_back_when_a_process_leaves_the_family() -> None:
    machine = Machine((1.0, 1), (9.0, 1), (4.0, 1))

    with machine.monitor() as monitor:
        monitor.sample()

    assert monitor.usage.cpu_seconds == 8


def test_a_usage_can_be_read_while_the_block_runs() -> None:
    machine = Machine((1.0, 1), (2.0, 1), (9.0, 1))

    with machine.monitor() as monitor:
        machine.now += 4
        monitor.sample()
        usage = monitor.usage

    assert (usage.wall_seconds, usage.cpu_seconds) == (4, 1)


def test_gpus_are_held_for_the_whole_block() -> None:
    machine = Machine((1.0, 1), gpus=[busy(0.0, 0.0)])

    with machine.monitor() as monitor:
        machine.now += 30

    assert (monitor.usage.gpus, monitor.usage.gpu_seconds) == (2, 60)


def test_utilisation_is_the_mean_over_time_and_devices() -> None:
    machine = Machine((1.0, 1), gpus=[busy(1.0, 0.0), busy(0.5, 0.1)])

    with machine.monitor() as monitor:
        machine.now += 1
        monitor.sample()
        machine.now += 3

    assert monitor.usage.gpu_utilisation == pytest.approx((1.0 + 0.0 + 3 * 0.5 + 3 * 0.1) / 8)


def test_the_fullest_device_makes_the_peak_of_gpu_memory() -> None:
    devices = [busy(0.0, memory_mb=10) + busy(0.0, memory_mb=70), busy(0.0, 0.0, memory_mb=20)]
    machine = Machine((1.0, 1), gpus=devices)

    with machine.monitor() as monitor:
        monitor.sample()

    assert monitor.usage.gpu_peak_memory_mb == 70


def test_what_a_device_does_not_tell_is_left_out() -> None:
    machine = Machine((1.0, 1), gpus=[[GpuReading(memory_bytes=None, utilisation=None)]])

    with machine.monitor() as monitor:
        machine.now += 2

    assert monitor.usage.gpus == 1
    assert monitor.usage.gpu_seconds == 2
    assert monitor.usage.gpu_utilisation is None
    assert monitor.usage.gpu_peak_memory_mb is None


def test_without_a_gpu_there_are_no_figures_of_one() -> None:
    with Machine((1.0, 1)).monitor() as monitor:
        pass

    assert {name for name, value in monitor.usage if value is None} == {
        "gpus",
        "gpu_seconds",
        "gpu_utilisation",
        "gpu_peak_memory_mb",
    }


@pytest.mark.parametrize(
    ("readings", "cpu_seconds", "peak_memory_mb"),
    [
        ([OSError("too many open files")], None, None),
        ([OSError("too many open files"), (9.0, 40)], None, 40),
        ([(1.0, 10), (3.0, 30), OSError("too many open files")], 2, 30),
    ],
    ids=["never", "at first", "at last"],
)
def test_a_reading_that_fails_is_no_error(
    readings: list, cpu_seconds: float | None, peak_memory_mb: float | None
) -> None:
    with Machine(*readings).monitor() as monitor:
        monitor.sample()

    assert monitor.usage.cpu_seconds == cpu_seconds
    assert monitor.usage.peak_memory_mb == peak_memory_mb


def test_an_error_of_the_block_passes_and_the_usage_is_known() -> None:
    machine = Machine((1.0, 1), (4.0, 9), gpus=[busy(0.5)])
    monitor = machine.monitor()

    with pytest.raises(ZeroDivisionError), monitor:
        _ = 1 / 0

    assert (monitor.usage.cpu_seconds, monitor.usage.peak_memory_mb) == (3, 9)
    machine.opened.close.assert_called_once_with()


def test_a_monitor_can_be_used_again() -> None:
    machine = Machine((1.0, 90), (5.0, 1), (6.0, 1), (7.0, 2))
    monitor = machine.monitor()

    with monitor:
        machine.now += 9
    with monitor:
        machine.now += 1

    assert monitor.usage == Usage(wall_seconds=1, cpu_seconds=1, peak_memory_mb=2)


def test_samples_are_taken_while_the_block_runs_and_no_longer() -> None:
    sampled_often = threading.Event()
    threads: list[str] = []

    def read() -> ProcessReading:
        threads.append(threading.current_thread().name)
        if threads.count("resource-monitor") > 3:
            sampled_often.set()
        return ProcessReading(0.0, 0)

    monitor = ResourceMonitor(
        interval_seconds=0.001, processes=read, gpus=lambda: create_autospec(VisibleGpus, instance=True)
    )
    for _ in range(2):
        sampled_often.clear()
        threads.clear()
        with monitor:
            assert sampled_often.wait(ENOUGH_SECONDS)

        assert threads[0] == threads[-1] == threading.current_thread().name
        assert "resource-monitor" not in {thread.name for thread in threading.enumerate()}


def test_this_very_process_is_measured_where_nothing_is_injected() -> None:
    before = read_processes()

    with ResourceMonitor(interval_seconds=None) as monitor:
        held = b"x" * (64 * MIB)
        monitor.sample()
    del held

    assert monitor.usage.peak_memory_mb > before.memory_bytes / MIB + 60
    assert monitor.usage.cpu_seconds is not None


@pytest.fixture
def run_id(client: MlflowClient) -> str:
    experiment = client.get_experiment_by_name("usage")
    experiment_id = client.create_experiment("usage") if experiment is None else experiment.experiment_id
    return str(client.create_run(experiment_id).info.run_id)


def test_a_usage_becomes_system_metrics_of_the_run(client: MlflowClient, run_id: str) -> None:
    log_usage(client, run_id, Usage(wall_seconds=5, cpu_seconds=0, peak_memory_mb=300.5))

    assert client.get_run(run_id).data.metrics == {
        "system/wall_seconds": 5,
        "system/cpu_seconds": 0,
        "system/peak_memory_mb": 300.5,
    }


def test_figures_by_name_are_recorded_without_those_that_are_unknown(
    client: MlflowClient, run_id: str
) -> None:
    log_usage(client, run_id, {"cpu_seconds": -1.5e300, "gpu_seconds": 7, "peak_memory_mb": None})

    assert client.get_run(run_id).data.metrics == {"system/cpu_seconds": -1.5e300, "system/gpu_seconds": 7}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_not_finite_is_refused_with_its_name(
    client: MlflowClient, run_id: str, value: float
) -> None:
    with pytest.raises(DeclarationError, match=r"usage \{'cpu_seconds': -?(nan|inf)\} is not finite"):
        log_usage(client, run_id, {"cpu_seconds": value, "gpu_seconds": 1.0})

    assert client.get_run(run_id).data.metrics == {}


def test_all_figures_go_in_one_call_and_none_in_no_call() -> None:
    client = create_autospec(MlflowClient, instance=True)

    log_usage(client, "r", {"cpu_seconds": None})
    log_usage(client, "r", {"cpu_seconds": 1.0, "gpu_seconds": 2.0})

    [call] = client.log_batch.call_args_list
    assert [metric.key for metric in call.kwargs["metrics"]] == ["system/cpu_seconds", "system/gpu_seconds"]


def test_a_server_that_is_away_is_said_to_be_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    with pytest.raises(RegistryUnavailableError, match="log the usage of run r"):
        log_usage(tracking_client("http://127.0.0.1:1"), "r", {"cpu_seconds": 1.0})
