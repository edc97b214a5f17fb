"""How rows come to the device that computes."""

from collections.abc import Sequence

import torch
from torch import Tensor

_SHARE_OF_FREE_MEMORY = 0.25


class Feed:
    """The rows of a fit, to be taken by their places.

    A GPU that has room for all of them gets them once: a step then moves nothing. Otherwise they are gathered
    on the CPU, in memory from which the GPU copies while it computes.

    Parameters
    ----------
    tensors
        Of one length, on the CPU.
    """

    def __init__(self, tensors: Sequence[Tensor], device: torch.device) -> None:
        self._device = device
        resident = device.type == "cpu" or _bytes(tensors) <= _SHARE_OF_FREE_MEMORY * free_bytes(device)
        self.places_device = device if resident else torch.device("cpu")
        """Where places must be."""
        self._tensors = [tensor.to(self.places_device) for tensor in tensors]

    def take(self, places: Tensor) -> list[Tensor]:
        """Return those rows of each tensor, on the device."""
        taken = [tensor.index_select(0, places) for tensor in self._tensors]
        if self.places_device == self._device:
            return taken
        return [tensor.pin_memory().to(self._device, non_blocking=True) for tensor in taken]


def free_bytes(device: torch.device) -> int:
    """Return the memory of a GPU that nobody holds."""
    return torch.cuda.mem_get_info(device)[0]


def _bytes(tensors: Sequence[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
