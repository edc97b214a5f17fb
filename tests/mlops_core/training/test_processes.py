"""A process knows its place, and one process alone needs no torch."""

import datetime as dt
import sys
from collections.abc import Iterator

import pytest
import torch
from torch import distributed
from torch.distributed import HashStore

from mlops_core.errors import (
    DeclarationError,
    EvaluationError,
    LeaderFailedError,
    MlopsError,
    RegistryUnavailableError,
)
from mlops_core.training import processes as own
from mlops_core.training.processes import Processes, broadcast_bytes, failing_alike, joined, leading

VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def test_without_torchrun_there_is_one_process() -> None:
    assert Processes.from_environment() == Processes(rank=0, local_rank=0, world_size=1)


def test_torchruns_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(VARIABLES, ("3", "1", "4"), strict=True):
        monkeypatch.setenv(name, value)

    found = Processes.from_environment()

    assert found == Processes(rank=3, local_rank=1, world_size=4)
    assert not found.leads
    assert not found.leads_its_machine


@pytest.mark.parametrize("values", [("4", "0", "4"), ("0", "1", "4"), ("x", "0", "2"), ("-1", "0", "2")])
def test_variables_that_contradict_each_other_are_refused(
    monkeypatch: pytest.MonkeyPatch, values: tuple[str, ...]
) -> None:
    for name, value in zip(VARIABLES, values, strict=True):
        monkeypatch.setenv(name, value)

    with pytest.raises(DeclarationError, match="name no process of a group"):
        Processes.from_environment()


def test_one_process_tells_no_one() -> None:
    processes = Processes()

    with joined(processes), leading(processes) as others:
        others.fit()
        others.fitted()
        others.finish("{}")


@pytest.fixture
def store() -> Iterator[HashStore]:
    """What joined processes share, in one."""
    made = HashStore()
    token = own._STORE.set(made)
    yield made
    own._STORE.reset(token)


@pytest.mark.parametrize("error", [EvaluationError("the loss is nan"), DeclarationError("too few rows")])
@pytest.mark.usefixtures("store")
def test_a_refusal_waits_until_the_first_process_is_done(error: MlopsError) -> None:
    with pytest.raises(EvaluationError, match="its own"), leading(Processes()):
        raise EvaluationError("its own")

    with pytest.raises(LeaderFailedError, match=str(error)) as raised, failing_alike():
        raise error

    assert raised.value.__cause__ is error


@pytest.mark.usefixtures("store")
def test_a_refusal_that_the_first_process_has_not_met_is_raised_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(own, "_LAST_WORD_WAIT", dt.timedelta(milliseconds=10))

    with pytest.raises(EvaluationError, match="the loss is nan"), failing_alike():
        raise EvaluationError("the loss is nan")


@pytest.mark.parametrize("error", [RegistryUnavailableError("away"), RuntimeError("lost the others")])
@pytest.mark.usefixtures("store")
def test_what_is_no_refusal_waits_for_no_one(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(own, "_leader_is_done")

    with pytest.raises(type(error), match=str(error)), failing_alike():
        raise error


def test_without_others_a_refusal_is_raised_at_once() -> None:
    with pytest.raises(EvaluationError), failing_alike():
        raise EvaluationError("the loss is nan")


@pytest.mark.parametrize(
    ("gpus", "local_rank", "backend", "chosen"),
    [(0, 0, "gloo", []), (2, 1, "cpu:gloo,cuda:nccl", [1]), (1, 1, "cpu:gloo,cuda:nccl", [])],
)
def test_joined_processes_can_talk_on_the_cpu_also_where_there_are_gpus(
    monkeypatch: pytest.MonkeyPatch, gpus: int, local_rank: int, backend: str, chosen: list[int]
) -> None:
    # given
    opened, devices = [], []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "set_device", devices.append)
    monkeypatch.setattr(
        sys.modules["torch.distributed.rendezvous"],
        "rendezvous",
        lambda _: iter([(HashStore(), local_rank, 2)]),
    )
    monkeypatch.setattr(distributed, "init_process_group", lambda name, **_: opened.append(name))
    monkeypatch.setattr(distributed, "destroy_process_group", lambda: opened.append("closed"))

    # when
    with joined(Processes(rank=1, local_rank=local_rank, world_size=2)):
        pass

    # then
    assert (opened, devices) == ([backend, "closed"], chosen)


@pytest.mark.parametrize("content", [None, b"", b"fit"])
def test_bytes_go_through_the_cpu_in_a_group_of_several_backends(
    monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    distributed.init_process_group("cpu:gloo,cuda:gloo", store=HashStore(), rank=0, world_size=1)
    try:
        assert broadcast_bytes(content) == content
    finally:
        distributed.destroy_process_group()
