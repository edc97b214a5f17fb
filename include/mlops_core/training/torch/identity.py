"""What makes one fit another: its checkpoints, and no other's, are where it goes on."""

import functools
import hashlib
import inspect
import json
import re
from collections.abc import Iterable, Mapping
from itertools import chain
from logging import Logger
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from mlops_core.training.torch.losses import Loss
from mlops_core.training.torch.rows import FitRows
from mlops_core.training.torch.settings import TorchSettings

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_PLAIN = (type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device, ModuleType, Logger)


def fit_identity(module: nn.Module, rows: FitRows, *, settings: TorchSettings, seed: int, loss: Loss) -> str:
    """Sha256 of what decides a fit.

    That is the settings, the seed, the module's code and first weights, the loss with what it holds, and
    every value of the rows.
    """
    content = {
        "settings": settings.deciding(),
        "seed": seed,
        "module": _code(type(module)),
        "config": repr(getattr(module, "config", None)),
        "weights": [(name, _Description().of(value)) for name, value in module.state_dict().items()],
        "loss": _Description().of(loss),
        "rows": rows.digest(),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _code(thing: object) -> list[str]:
    """Return where a function or class is defined, and its source where there is one."""
    try:
        source = inspect.getsource(thing)  # type: ignore[arg-type]  # it says so itself
    except (OSError, TypeError):
        source = ""
    return [str(getattr(thing, "__module__", "")), str(getattr(thing, "__qualname__", "")), source]


class _Description:
    """A value as plain lists: equal for equal values, in every process."""

    def __init__(self) -> None:
        # What is held twice, or holds itself, is described once. Kept alive, so that no id is given anew.
        self._met: dict[int, tuple[int, object]] = {}

    def of(self, value: object) -> object:
        if isinstance(value, _PLAIN):
            return repr(value)
        if isinstance(value, Tensor):
            flat = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
            return [str(value.dtype), list(value.shape), hashlib.sha256(flat.numpy().data).hexdigest()]
        if isinstance(value, np.ndarray) and value.dtype != object:
            return [str(value.dtype), list(value.shape), hashlib.sha256(value.tobytes()).hexdigest()]
        if id(value) in self._met:
            return self._met[id(value)][0]
        self._met[id(value)] = len(self._met), value
        return [type(value).__qualname__, *map(self.of, _parts(value))]


def _parts(value: object) -> Iterable[object]:
    """Return what decides what a value does, piece by piece."""
    parts: Iterable[object]
    if isinstance(value, functools.partial):
        parts = (value.func, value.args, value.keywords)
    elif inspect.ismethod(value):
        parts = (value.__func__, value.__self__)
    elif inspect.isfunction(value):
        closure = inspect.getclosurevars(value).nonlocals
        parts = (*_code(value), closure, value.__defaults__, value.__kwdefaults__)
    elif isinstance(value, type):
        parts = _code(value)
    elif isinstance(value, Mapping):
        parts = chain.from_iterable(value.items())
    elif isinstance(value, list | tuple):
        parts = value
    elif isinstance(value, set | frozenset):
        parts = sorted(map(repr, value))
    else:
        held = getattr(value, "__dict__", None)
        # An address differs from process to process, and says nothing.
        parts = (*_code(type(value)), _ADDRESS.sub("", repr(value)) if held is None else dict(held))
    return parts
