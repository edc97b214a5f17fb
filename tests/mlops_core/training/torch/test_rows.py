"""Which rows are learnt from, and in which order, follows from seed and epoch alone."""

from itertools import chain

import pytest
import torch

from mlops_core.errors import DeclarationError
from mlops_core.training.processes import Processes
from mlops_core.training.torch.rows import FitRows
from mlops_core.training.torch.settings import TorchSettings

ALONE = Processes()


def rows(number: int = 103, **settings: object) -> FitRows:
    values = torch.arange(number)
    chosen = TorchSettings.model_validate({"validation_share": 0.2, **settings})
    return FitRows.of((values,), values, settings=chosen, seed=1, world_size=1)


def places(
    divided: FitRows, *, epoch: int = 1, seed: int = 1, processes: Processes = ALONE
) -> list[list[int]]:
    batches = divided.batches(seed=seed, epoch=epoch, batch_rows=16, processes=processes)
    return [batch.tolist() for batch, _ in batches]


def test_the_last_rows_are_held_out_where_time_matters() -> None:
    divided = rows()

    assert divided.training.tolist() == list(range(82))
    assert divided.validation.tolist() == list(range(82, 103))


def test_random_rows_are_held_out_by_the_seed() -> None:
    first, second = (rows(validation_rows="random") for _ in range(2))

    assert first.validation.tolist() == second.validation.tolist()
    assert first.validation.tolist() != list(range(82, 103))
    assert sorted(first.training.tolist() + first.validation.tolist()) == list(range(103))


def test_each_epoch_has_every_row_once_in_an_order_of_its_own() -> None:
    divided = rows()
    first, again, second = places(divided), places(divided), places(divided, epoch=2)

    assert first == again
    assert first != second
    assert first != places(divided, seed=2)
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(82))
    assert len(first) == divided.steps(batch_rows=16, world_size=1) == 6


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_each_batch_without_a_row_twice(world_size: int) -> None:
    divided = rows()
    shares = [
        places(divided, processes=Processes(rank=rank, world_size=world_size)) for rank in range(world_size)
    ]

    alone = places(divided)
    steps = divided.steps(batch_rows=16, world_size=world_size)
    assert {len(share) for share in shares} == {steps}
    for step in range(steps):
        together = [place for share in shares for place in share[step]]
        assert together == alone[step]
        assert all(share[step] for share in shares)


def test_a_last_batch_that_not_every_process_gets_a_row_of_is_left_out() -> None:
    divided = rows(81, validation_share=0)

    assert divided.steps(batch_rows=16, world_size=1) == 6
    assert divided.steps(batch_rows=16, world_size=2) == 5
    assert len(places(divided, processes=Processes(rank=1, world_size=2))) == 5


def test_batches_that_not_every_process_gets_a_row_of_are_refused() -> None:
    values, settings = torch.arange(100), TorchSettings(batch_rows=3)

    assert FitRows.of((values,), values, settings=settings, seed=1, world_size=3).steps(
        batch_rows=3, world_size=3
    )
    with pytest.raises(DeclarationError, match="batch_rows is 3 and 4 processes share each batch"):
        FitRows.of((values,), values, settings=settings, seed=1, world_size=4)


def test_the_digest_covers_values_types_and_who_is_held_out() -> None:
    values = torch.arange(100)
    settings = TorchSettings(validation_share=0.2)
    others = [
        ((values,), values.float(), settings),
        ((values + 1,), values, settings),
        ((values,), values, TorchSettings(validation_share=0.3)),
    ]

    digests = {rows(100).digest()} | {
        FitRows.of(encoded, target, settings=chosen, seed=1, world_size=1).digest()
        for encoded, target, chosen in others
    }

    assert rows(100).digest() in digests
    assert len(digests) == 4
