"""The processes that fit one job together, as torchrun starts them. One process alone imports no torch.

The first process leads: it alone talks to MLflow and stores the model. The others wait for its word before
they read or fit anything, so that none of them hangs in a fit that never begins, and get the result from it:
torchrun numbers machines as they come, so whoever asks one of them for the result cannot know the first.
"""

import datetime as dt
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from mlops_core.errors import DeclarationError, LeaderFailedError, RejectedError

if TYPE_CHECKING:
    from torch.distributed.distributed_c10d import Store

_WAIT = dt.timedelta(hours=1)
_LAST_WORD_WAIT = dt.timedelta(seconds=60)
_LAST_WORD = "mlops/last-word"
_FIT, _LEAVE = "fit", "leave"

log = logging.getLogger(__name__)

_STORE: ContextVar["Store | None"] = ContextVar("mlops_store", default=None)
"""What the joined processes write for each other; unlike a broadcast, no one need listen."""


@dataclass(frozen=True, kw_only=True)
class Processes:
    """Which process this is (``rank``), and of how many; ``local_rank`` counts on its own machine."""

    rank: int = 0
    local_rank: int = 0
    world_size: int = 1

    @classmethod
    def from_environment(cls) -> Self:
        """Read what torchrun has set; one process alone where it has set nothing.

        Raises
        ------
        DeclarationError
            If the variables contradict each other.
        """
        values = {name: os.environ.get(name.upper(), "") for name in ("rank", "local_rank", "world_size")}
        try:
            world_size = int(values["world_size"] or 1)
            rank, local_rank = int(values["rank"] or 0), int(values["local_rank"] or 0)
        except ValueError:
            world_size, rank, local_rank = 0, 0, 0
        if not 0 <= local_rank <= rank < world_size:
            raise DeclarationError(
                f"RANK={values['rank']!r}, LOCAL_RANK={values['local_rank']!r} and "
                f"WORLD_SIZE={values['world_size']!r} name no process of a group; "
                "start the processes with torchrun, or unset the three"
            )
        return cls(rank=rank, local_rank=local_rank, world_size=world_size)

    @property
    def leads(self) -> bool:
        """Whether this process is the one that talks to MLflow and stores the model."""
        return self.rank == 0

    @property
    def leads_its_machine(self) -> bool:
        """Whether it is the first on its machine, which writes what the machine keeps."""
        return self.local_rank == 0


class Others:
    """The processes beside the first, as the first sees them."""

    def __init__(self, processes: Processes) -> None:
        self._exist = self._listening = processes.world_size > 1

    def fit(self) -> None:
        """Tell them to fit. They listen again when they have fitted."""
        self._tell(_FIT)
        self._listening = False

    def fitted(self) -> None:
        """Note that the fit has come to its end, here and so in the others."""
        self._listening = self._exist

    def finish(self, result: str) -> None:
        """Tell them what the job has made."""
        self._tell(result)
        self._listening = False

    def leave(self) -> None:
        """Tell them that nothing will come; in the middle of a fit no one would hear it."""
        self._tell(_LEAVE)
        self._listening = False

    def _tell(self, word: str) -> None:
        if self._listening:
            broadcast_bytes(word.encode())


@contextmanager
def leading(processes: Processes) -> Iterator[Others]:
    """Lead the other processes within the block; those that still listen at its end may leave.

    So may those that have failed as this one has, and wait: see ``failing_alike``.
    """
    others = Others(processes)
    try:
        yield others
    finally:
        others.leave()
        store = _STORE.get()
        if store is not None:
            store.set(_LAST_WORD, _LEAVE)


@contextmanager
def failing_alike() -> Iterator[None]:
    """Leave the block by a refusal only after the first process, which has most likely met the same.

    Torchrun ends all processes as soon as one of them fails: the first needs the time to tell MLflow. One
    that does not say so within a minute has met no refusal, and waits for this process in vain.

    Raises
    ------
    LeaderFailedError
        With this process's own refusal as its cause, once the first process is done.
    """
    try:
        yield
    except (RejectedError, DeclarationError) as error:
        if _leader_is_done():
            raise LeaderFailedError(
                f"the first process of this job has failed, as this one: {error}"
            ) from error
        raise


def _leader_is_done() -> bool:
    store = _STORE.get()
    if store is None:
        return False
    try:
        store.wait([_LAST_WORD], _LAST_WORD_WAIT)
    except RuntimeError as error:
        # Its time was over, or the store has gone, with the first process or with torchrun.
        log.warning("the first process did not say that it is done: %s", error)
        return False
    return True


def told_to_fit(word: str) -> bool:
    """Whether the first process has asked for a fit, and has no result yet."""
    return word == _FIT


def hear() -> str:
    """Wait for the first process's next word: to fit, or the result.

    Raises
    ------
    LeaderFailedError
        If it has failed and nothing will come.
    """
    word = (broadcast_bytes(None) or b"").decode()
    if word == _LEAVE:
        raise LeaderFailedError("the first process of this job has failed; its own log says why")
    return word


@contextmanager
def joined(processes: Processes) -> Iterator[None]:
    """Connect the processes within the block; one process alone connects to nothing."""
    if processes.world_size == 1:
        yield
        return
    import torch
    from torch import distributed
    from torch.distributed.rendezvous import rendezvous

    on_gpu = torch.cuda.is_available()
    if on_gpu and processes.local_rank < torch.cuda.device_count():
        torch.cuda.set_device(processes.local_rank)
    store, rank, world_size = next(rendezvous("env://"))
    store.set_timeout(_WAIT)
    # A fit may compute on the CPU although there are GPUs, and words need none.
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
        store=store,
        rank=rank,
        world_size=world_size,
        timeout=_WAIT,
    )
    log.info("process %d of %d has joined", processes.rank, processes.world_size)
    token = _STORE.set(store)
    try:
        yield
    finally:
        _STORE.reset(token)
        distributed.destroy_process_group()


def broadcast_bytes(content: bytes | None, *, source: int = 0) -> bytes | None:
    """Return what the source has; the others' content is ignored. Every process must call it."""
    import torch
    from torch import distributed

    # Only a group that was not made by ``joined`` has NCCL alone.
    device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
    sends = distributed.get_rank() == source
    length = torch.tensor([-1 if content is None or not sends else len(content)], device=device)
    distributed.broadcast(length, src=source)
    size = int(length.item())
    if size <= 0:
        return None if size < 0 else b""
    if sends and content is not None:
        carrier = torch.frombuffer(bytearray(content), dtype=torch.uint8).to(device)
    else:
        carrier = torch.empty(size, dtype=torch.uint8, device=device)
    distributed.broadcast(carrier, src=source)
    return bytes(carrier.cpu().numpy().tobytes())
