"""What the processes of one fit tell each other. With one process nothing is sent."""

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from mlops_core.training.processes import Processes, broadcast_bytes


class Together:
    """The processes that fit one module, each on its share of every batch."""

    def __init__(self, processes: Processes, device: torch.device) -> None:
        self._processes = processes
        self._device = device

    def wrap(self, module: nn.Module) -> nn.Module:
        """Return a module whose gradients are averaged over the processes."""
        if self._processes.world_size == 1:
            return module
        devices = None if self._device.type == "cpu" else [self._device.index]
        return DistributedDataParallel(module, device_ids=devices)

    def sum(self, values: Tensor) -> Tensor:
        """Return the sums over the processes; the same in each, so that all of them decide alike."""
        if self._processes.world_size > 1:
            distributed.all_reduce(values)
        return values

    def agree(self, identity: str) -> str:
        """Return the first process's word on which fit this is."""
        if self._processes.world_size == 1:
            return identity
        return (broadcast_bytes(identity.encode()) or b"").decode()

    def farthest(self, kept: tuple[int, bytes] | None) -> bytes | None:
        """Return the content of the checkpoint that is farthest, wherever it lies.

        Each machine keeps its own: after a restart another one may have become the first.
        """
        if self._processes.world_size == 1:
            return None if kept is None else kept[1]
        place, content = (-1, None) if kept is None else kept
        own = torch.tensor([place], device=self._device)
        places = [torch.empty_like(own) for _ in range(self._processes.world_size)]
        distributed.all_gather(places, own)
        known = [int(place.item()) for place in places]
        return broadcast_bytes(content, source=known.index(max(known)))

    def align(self, module: nn.Module) -> None:
        """Give every process the first one's weights and buffers."""
        if self._processes.world_size == 1:
            return
        with torch.no_grad():
            for tensor in (*module.parameters(), *module.buffers()):
                distributed.broadcast(tensor, src=0)
