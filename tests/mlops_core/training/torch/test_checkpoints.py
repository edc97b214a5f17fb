"""A checkpoint is whole, of the same fit, or not there."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from mlops_core.training.torch.checkpoints import Checkpoints, read_state

IDENTITY = "a" * 64


@pytest.fixture
def kept(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path, identity=IDENTITY)


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.checkpoint"))


def write(kept: Checkpoints, *, epoch: int, step: int = 0) -> None:
    kept.write({"epoch": epoch, "weights": {"w": torch.full((3,), float(epoch))}}, epoch=epoch, step=step)


def newest(kept: Checkpoints) -> Any:
    found = kept.newest()
    return None if found is None else read_state(found[1], identity=IDENTITY)["epoch"]


def test_the_newest_comes_back_as_it_was_written(kept: Checkpoints) -> None:
    write(kept, epoch=9, step=100)
    write(kept, epoch=10)

    found = kept.newest()

    assert found is not None
    state = read_state(found[1], identity=IDENTITY)
    assert state["epoch"] == 10
    assert torch.equal(state["weights"]["w"], torch.full((3,), 10.0))


def test_how_far_it_is_grows_with_epoch_and_step(tmp_path: Path) -> None:
    places = []
    for number, (epoch, step) in enumerate([(1, 5), (1, 40), (2, 0), (11, 3)]):
        kept = Checkpoints(tmp_path / str(number), identity=IDENTITY)
        write(kept, epoch=epoch, step=step)
        found = kept.newest()
        assert found is not None
        places.append(found[0])

    assert places == sorted(places)


def test_two_are_kept(kept: Checkpoints, tmp_path: Path) -> None:
    for epoch in range(1, 5):
        write(kept, epoch=epoch)

    assert [path.name[:6] for path in files(tmp_path)] == ["000003", "000004"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "pickle"])
def test_a_damaged_one_is_ignored_in_favour_of_the_one_before(
    kept: Checkpoints, tmp_path: Path, damage: str
) -> None:
    write(kept, epoch=1)
    write(kept, epoch=2)
    path = files(tmp_path)[-1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = {
        "cut": bytes(content[: len(content) // 3]),
        "flipped": bytes(content),
        "emptied": b"",
        "pickle": pickle.dumps({"identity": IDENTITY}),
    }
    path.write_bytes(damaged[damage])

    assert newest(kept) == 1


def test_when_all_are_damaged_there_is_none(kept: Checkpoints, tmp_path: Path) -> None:
    write(kept, epoch=1)
    files(tmp_path)[0].write_bytes(b"x")

    assert newest(kept) is None


def test_another_fits_is_not_seen_even_under_this_ones_name(kept: Checkpoints, tmp_path: Path) -> None:
    other = Checkpoints(tmp_path, identity="b" * 64)
    write(other, epoch=7)
    assert newest(kept) is None

    write(kept, epoch=1)
    foreign, own = sorted(files(tmp_path), key=lambda path: path.parent.name, reverse=True)
    own.with_name(foreign.name).write_bytes(foreign.read_bytes())

    assert newest(kept) == 1


def test_one_that_is_cut_off_while_it_is_written_leaves_the_former(
    kept: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(kept, epoch=1)

    def die(_descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", die)
        with pytest.raises(KeyboardInterrupt):
            write(kept, epoch=2)

    assert newest(kept) == 1


def test_a_full_disk_costs_the_checkpoint_and_not_the_fit(
    kept: Checkpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write(kept, epoch=1)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    write(kept, epoch=2)

    assert "No space left on device" in caplog.text
    assert newest(kept) == 1
    assert len(list((tmp_path / IDENTITY[:32]).iterdir())) == 1


def test_without_a_folder_nothing_is_kept() -> None:
    kept = Checkpoints(None, identity=IDENTITY)

    write(kept, epoch=1)

    assert not kept.enabled
    assert kept.newest() is None


def test_what_runs_code_is_not_read(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "exploded",)

    with pytest.raises(ValueError, match="cannot be read"):
        read_state(pickle.dumps(Bomb()), identity=IDENTITY)
    assert not (tmp_path / "exploded").exists()
