from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from unittest.mock import create_autospec

import pynvml
import pytest

from mlops_core.containers import create, gpus
from mlops_core.containers.engine import ContainerEngine, EngineAddress, connect
from mlops_core.containers.gpus import choose_devices, claimed, visible_gpus
from mlops_core.containers.labels import ManagedContainer
from mlops_core.containers.specification import ContainerJob, ContainerSpec, Gpus
from mlops_core.errors import GpuMissingError, GpusBusyError

UUIDS = ("GPU-a", "GPU-b", "GPU-c")


def job(*, nodes: int = 1, **asked: Any) -> ContainerJob:
    spec = ContainerSpec(image="i", command=("c",), gpus=Gpus(**asked) if asked else None)
    return ContainerJob(key="k", spec=spec, nodes=nodes)


def container(state: str, devices: str, *, id_: str = "1") -> ManagedContainer:
    return ManagedContainer(id=id_, name="n", state=state, labels={"mlops.gpus": devices}, created=0)


def test_devices_are_chosen_of_those_that_are_free_and_none_twice() -> None:
    first, second = choose_devices(job(count=1, nodes=2), visible=UUIDS, taken={"GPU-b"})

    assert {*first, *second} == {"GPU-a", "GPU-c"}


def test_device_asked_for_by_its_index_is_the_one_of_that_uuid() -> None:
    assert choose_devices(job(device_ids=("1",)), visible=UUIDS, taken=()) == (("GPU-b",),)
    with pytest.raises(GpusBusyError, match="others hold GPU-b"):
        choose_devices(job(device_ids=("1",)), visible=UUIDS, taken={"GPU-b"})


def test_nothing_is_leased_where_no_gpu_is_asked_for_or_none_can_be_seen() -> None:
    assert choose_devices(job(nodes=2), visible=UUIDS, taken=()) == ((), ())
    assert choose_devices(job(count=4), visible=(), taken=()) == ((),)
    assert choose_devices(job(device_ids=("0",)), visible=(), taken=()) == (("0",),)


def test_devices_that_nobody_sees_are_leased_by_their_number_beginning_with_the_first() -> None:
    assert choose_devices(job(count=2), visible=(), slots=4, taken={"1"}) == (("0", "2"),)
    assert choose_devices(job(device_ids=("1",)), visible=(), slots=2, taken=()) == (("1",),)
    assert choose_devices(job(count=1), visible=UUIDS, slots=1, taken={"GPU-a", "GPU-b"}) == (("GPU-c",),)
    with pytest.raises(GpusBusyError, match=r"asks for 1 of the GPUs 0, 1 and others hold 0, 1"):
        choose_devices(job(count=1), visible=(), slots=2, taken={"0", "1"})
    with pytest.raises(GpuMissingError, match="there are 2: 0, 1"):
        choose_devices(job(count=3), visible=(), slots=2, taken=())


def test_more_than_there_are_is_missing_and_more_than_are_free_is_busy() -> None:
    with pytest.raises(GpuMissingError, match=r"asks for 4 GPUs .2 nodes of 2. and there are 3"):
        choose_devices(job(count=2, nodes=2), visible=UUIDS, taken=())
    with pytest.raises(GpusBusyError, match=r"asks for 2 .* others hold GPU-a, GPU-c"):
        choose_devices(job(count=2), visible=UUIDS, taken={"GPU-a", "GPU-c"})


def test_only_live_containers_of_others_claim_their_devices() -> None:
    listed = [
        container("running", "GPU-a"),
        container("created", "GPU-b"),
        container("exited", "GPU-c"),
        container("running", "GPU-d", id_="mine"),
        container("running", ""),
    ]

    assert claimed(listed, but={"mine"}) == {"GPU-a", "GPU-b"}


def test_machine_without_a_driver_has_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = create_autospec(
        pynvml.nvmlInit, side_effect=pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    )
    monkeypatch.setattr(pynvml, "nvmlInit", missing)

    assert visible_gpus() == ()


def test_gpus_are_named_by_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, answer in (("Init", None), ("Shutdown", None), ("DeviceGetCount", 2)):
        function = getattr(pynvml, f"nvml{name}")
        monkeypatch.setattr(pynvml, f"nvml{name}", create_autospec(function, return_value=answer))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: index)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUUID", lambda handle: f"GPU-{handle}")

    assert visible_gpus() == ("GPU-0", "GPU-1")


@pytest.mark.integration
def test_without_driver_and_slots_a_container_on_gpus_is_started_with_a_warning(
    engine: ContainerEngine,
    make_job: Callable[..., ContainerJob],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(gpus, "visible_gpus", lambda: ())
    monkeypatch.setattr(create, "_device_requests", lambda _spec, **_: [])

    engine.start(make_job(spec={"gpus": Gpus(count=1)}))

    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "two containers may share one; set MLOPS_GPU_SLOTS" in warning


@pytest.mark.integration
@pytest.mark.parametrize(("visible", "slots", "leased"), [(UUIDS[:2], 0, UUIDS[:2]), ((), 2, ("0", "1"))])
def test_of_many_who_ask_at_once_no_two_get_the_same_device(
    address: EngineAddress,
    engine: ContainerEngine,
    make_job: Callable[..., ContainerJob],
    monkeypatch: pytest.MonkeyPatch,
    visible: tuple[str, ...],
    slots: int,
    leased: tuple[str, ...],
) -> None:
    monkeypatch.setattr(gpus, "visible_gpus", lambda: visible)
    monkeypatch.setattr(gpus, "LEASE_TRIES", 15)
    monkeypatch.setattr(gpus, "_LONGEST_PAUSE_SECONDS", 0.5)
    # The engine has no such devices: only the claims are real.
    monkeypatch.setattr(create, "_device_requests", lambda _spec, **_: [])
    jobs = [make_job("import time; time.sleep(300)", spec={"gpus": Gpus(count=1)}) for _ in range(4)]
    together = Barrier(len(jobs))

    def start(one: ContainerJob) -> str:
        with ContainerEngine(connect(address), gpu_slots=slots) as own:
            together.wait(60)
            try:
                return own.start(one).how
            except GpusBusyError:
                return "busy"

    with ThreadPoolExecutor(len(jobs)) as pool:
        outcomes = sorted(pool.map(start, jobs))

    names = {one.name for one in jobs}
    held = [found.gpus for found in engine.managed() if found.job_name in names]
    assert outcomes == ["busy", "busy", "created", "created"]
    assert sorted(device for devices in held for device in devices) == list(leased)
