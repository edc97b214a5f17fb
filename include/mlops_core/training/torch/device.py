"""Where a fit computes, in which precision, and how it gives the same answer twice."""

import logging
import os
import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch

from mlops_core.errors import DeclarationError
from mlops_core.training.processes import Processes
from mlops_core.training.torch.rows import stream
from mlops_core.training.torch.settings import TorchSettings

log = logging.getLogger(__name__)


def choose_device(settings: TorchSettings, processes: Processes) -> torch.device:
    """Return this process's device.

    Raises
    ------
    DeclarationError
        If a GPU is asked for and there is none.
    """
    available = torch.cuda.is_available()
    if settings.device == "cuda" and not available:
        raise DeclarationError(
            "TorchSettings.device is 'cuda', and torch finds no GPU here; use 'auto', or run the job where "
            "one is"
        )
    if settings.device == "cpu" or not available:
        return torch.device("cpu")
    return torch.device("cuda", processes.local_rank)


class Precision:
    """Mixed precision: the forward pass in a short type, weights and sums in float32."""

    def __init__(self, settings: TorchSettings, device: torch.device) -> None:
        wanted = settings.mixed_precision
        if wanted == "float16" and device.type == "cpu":
            log.info("mixed precision in float16 needs a GPU; this fit computes in float32")
            wanted = "off"
        self._device = device.type
        self._short = {"off": None, "float16": torch.float16, "bfloat16": torch.bfloat16}[wanted]
        # bfloat16 has the range of float32, so its gradients do not vanish and need no scaling.
        self.scaler = torch.amp.GradScaler(device.type, enabled=wanted == "float16")

    def forward(self) -> AbstractContextManager[object]:
        """Return the context in which losses are computed."""
        if self._short is None:
            return nullcontext()
        return torch.autocast(self._device, dtype=self._short)


@contextmanager
def reproducible(settings: TorchSettings, device: torch.device) -> Iterator[None]:
    """Use deterministic algorithms and the declared number of threads within the block.

    The state of torch's, numpy's and Python's generators is put back after it: steps seed them anew.
    """
    # Read by cuBLAS when it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    warned = torch.is_deterministic_algorithms_warn_only_enabled()
    filling = torch.utils.deterministic
    filled = filling.fill_uninitialized_memory  # type: ignore[attr-defined]
    generators = [
        (generator, generator.get_state()) for generator in (torch.default_generator, _generator(device))
    ]
    states = np.random.get_state(), random.getstate()
    torch.use_deterministic_algorithms(True, warn_only=True)
    # A help for finding mistakes that costs a pass over every new tensor; each is written before it is read.
    filling.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict, warn_only=warned)
        filling.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
        for generator, state in generators:
            generator.set_state(state)
        np.random.set_state(states[0])
        random.setstate(states[1])


def seed_step(seed: int, *, epoch: int, step: int, rank: int, device: torch.device) -> None:
    """Seed every global generator for one step.

    What a step draws, dropout for example, then follows from its place alone: a checkpoint needs no
    generators' states, and the processes need not meet to gather them.
    """
    value = stream(seed, epoch, step, rank)
    # torch.manual_seed visits every kind of device each time, which takes longer than many a step.
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        _generator(device).manual_seed(value)
    np.random.seed(value % 2**32)
    random.seed(value)


def _generator(device: torch.device) -> torch.Generator:
    if device.type != "cuda":
        return torch.default_generator
    # Empty until CUDA is started.
    torch.cuda.init()  # type: ignore[no-untyped-call]
    return torch.cuda.default_generators[device.index]
