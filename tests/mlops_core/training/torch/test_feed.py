"""Rows go to the device once where there is room, and batch by batch where there is none."""

import pytest
import torch
from torch import Tensor

from mlops_core.training.torch import feed
from mlops_core.training.torch.feed import Feed

GPU = torch.device("meta")
"""Has shapes and no numbers; a device that is not the CPU."""
ROWS = (torch.arange(10), torch.arange(20.0).reshape(10, 2))


def test_rows_are_taken_in_the_order_of_their_places() -> None:
    numbers, pairs = Feed(ROWS, torch.device("cpu")).take(torch.tensor([7, 0]))

    assert numbers.tolist() == [7, 0]
    assert pairs.tolist() == [[14.0, 15.0], [0.0, 1.0]]


@pytest.mark.parametrize(("free", "places"), [(640, "meta"), (639, "cpu")])
def test_a_quarter_of_the_free_memory_is_room(
    monkeypatch: pytest.MonkeyPatch, free: int, places: str
) -> None:
    # 10 rows of 8 bytes, and of twice 4 bytes
    monkeypatch.setattr(feed, "free_bytes", lambda _: free)
    pinned: list[Tensor] = []
    monkeypatch.setattr(Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor)

    rows = Feed(ROWS, GPU)
    taken = rows.take(torch.tensor([7, 0], device=rows.places_device))

    assert rows.places_device.type == places
    assert {tensor.device.type for tensor in taken} == {"meta"}
    assert [tensor.tolist() for tensor in pinned[:1]] == ([[7, 0]] if places == "cpu" else [])
