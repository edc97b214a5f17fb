"""Which rows a fit learns from, which ones judge it, and in which order they come."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from mlops_core.errors import DeclarationError
from mlops_core.training.processes import Processes
from mlops_core.training.torch.settings import TorchSettings

_CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class FitRows:
    """Encoded rows, divided into those that are learnt from and those that decide when to stop.

    Parameters
    ----------
    encoded
        Tensors of one length; what ``forward`` takes.
    training, validation
        Places of rows; ``validation`` may be empty.
    """

    encoded: tuple[Tensor, ...]
    target: Tensor
    training: Tensor
    validation: Tensor

    @classmethod
    def of(
        cls, encoded: Sequence[Tensor], target: Tensor, *, settings: TorchSettings, seed: int, world_size: int
    ) -> Self:
        """Divide rows as the settings say.

        Raises
        ------
        DeclarationError
            If the tensors differ in length, too few rows are left to learn from, or a batch has fewer rows
            than there are processes.
        """
        if settings.batch_rows < world_size:
            raise DeclarationError(
                f"TorchSettings.batch_rows is {settings.batch_rows} and {world_size} processes share each "
                f"batch; set it to {world_size} or more, or start fewer processes"
            )
        rows = len(target)
        lengths = {len(tensor) for tensor in encoded} | {rows}
        if not encoded or len(lengths) > 1:
            raise DeclarationError(
                f"the encoded tensors and the target have {sorted(lengths)} rows; encode must keep each row"
            )
        held = round(rows * settings.validation_share)
        if rows - held < world_size or (held == 0 and settings.validation_share > 0):
            raise DeclarationError(
                f"{rows} rows with a validation share of {settings.validation_share:g} are too few for "
                f"{world_size} processes; give more rows, or a validation_share of 0"
            )
        order = torch.arange(rows)
        if settings.validation_rows == "random":
            order = torch.randperm(rows, generator=generator(seed, "validation"))
        return cls(
            encoded=tuple(encoded),
            target=target,
            training=order[: rows - held].sort().values,
            validation=order[rows - held :].sort().values,
        )

    def batches(
        self, *, seed: int, epoch: int, batch_rows: int, processes: Processes, device: torch.device = _CPU
    ) -> Iterator[tuple[Tensor, int]]:
        """Yield this process's places of each batch of an epoch, with the rows that the whole batch has.

        The order follows from seed and epoch alone, so a fit may go on in the middle of an epoch. A last
        batch with fewer rows than processes is left out.

        Parameters
        ----------
        device
            Where the places are wanted. They are drawn on the CPU, so that every device has the same order.
        """
        shuffled = self.training[torch.randperm(len(self.training), generator=generator(seed, epoch))]
        for batch in torch.split(shuffled.to(device), batch_rows):
            if len(batch) >= processes.world_size:
                yield batch.tensor_split(processes.world_size)[processes.rank], len(batch)

    def steps(self, *, batch_rows: int, world_size: int) -> int:
        """Return how many batches an epoch has."""
        whole, rest = divmod(len(self.training), batch_rows)
        return whole + (rest >= world_size)

    def digest(self) -> str:
        """Sha256 of every value, and of which rows are held out."""
        total = hashlib.sha256()
        for tensor in (*self.encoded, self.target, self.validation):
            total.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
            total.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        return total.hexdigest()


def stream(seed: int, *parts: object) -> int:
    """Return the seed of a stream of random numbers of its own, by what it is for."""
    text = "/".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *parts: object) -> torch.Generator:
    """Return a generator of such a stream."""
    return torch.Generator().manual_seed(stream(seed, *parts))
