"""A module is fitted, stops early, tells how it goes, and goes on where it was killed."""

import copy
import functools
import inspect
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import torch_models
from mlops_core.errors import DeclarationError, EvaluationError
from mlops_core.training.context import TrainingContext, training_context
from mlops_core.training.torch import losses
from mlops_core.training.torch.fitting import fit_module
from mlops_core.training.torch.losses import Loss, cross_entropy
from mlops_core.training.torch.rows import FitRows
from mlops_core.training.torch.settings import TorchSettings

ROWS = 200


class Killed(BaseException):
    """Ends a fit as a kill does: nothing of its own runs afterwards."""


class Line(nn.Module):
    """The smallest network with something random in it."""

    def __init__(self, *, outputs: int = 2) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, outputs))
        self.passes = 0
        self.killed_at = math.inf

    def forward(self, numbers: Tensor) -> Tensor:
        self.passes += self.training
        if self.passes >= self.killed_at:
            raise Killed
        answer: Tensor = self.layers(numbers)
        return answer.squeeze(1)


def numbers() -> Tensor:
    return torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(1))


def classes() -> Tensor:
    return (numbers().sum(dim=1) > 0).long()


def line(*, first_weights: int = 0, **config: Any) -> Line:
    torch.manual_seed(first_weights)
    return Line(**config)


def fit(
    module: Line, *, target: Tensor | None = None, seed: int = 5, loss: Loss | None = None, **changes: Any
) -> Line:
    chosen = torch_models.settings(**changes)
    known = classes() if target is None else target
    return fit_module(module, (numbers(),), known, settings=chosen, seed=seed, loss=loss)


def doubled(logits: Tensor, target: Tensor) -> Tensor:
    return 2 * cross_entropy(logits, target)


def scaled(factor: float) -> Loss:
    return lambda logits, target: factor * cross_entropy(logits, target)


def weights(module: nn.Module) -> list[np.ndarray]:
    return [tensor.detach().numpy().copy() for tensor in module.state_dict().values()]


def assert_same(first: nn.Module, second: nn.Module) -> None:
    for one, other in zip(weights(first), weights(second), strict=True):
        np.testing.assert_array_equal(one, other)


@contextmanager
def job(folder: Path) -> Iterator[None]:
    with training_context(TrainingContext(run_id="", checkpoints=folder)):
        yield


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("epoch ")]


@pytest.mark.parametrize(
    ("outputs", "target"),
    [(2, classes()), (1, classes()), (1, numbers().sum(dim=1))],
    ids=["k", "odds", "values"],
)
def test_the_loss_falls_for_classes_for_odds_and_for_values(
    outputs: int, target: Tensor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    fit(line(outputs=outputs), target=target, epochs=15)

    losses = [float(text.split("training loss ")[1].split(",")[0]) for text in lines(caplog)]
    assert losses[-1] < 0.8 * losses[0]


def test_the_same_seed_gives_the_same_weights_whatever_was_drawn_before() -> None:
    first = fit(line())
    torch.rand(7)

    second, other = fit(line()), fit(line(), seed=6)

    assert_same(first, second)
    assert any((one != two).any() for one, two in zip(weights(first), weights(other), strict=True))


def test_generators_and_threads_are_left_as_they_were() -> None:
    module = line()
    torch.manual_seed(3)
    state, threads = torch.get_rng_state(), torch.get_num_threads()

    fit(module)

    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_it_is_returned_ready_to_predict() -> None:
    module = fit(line())

    assert not module.training
    assert {tensor.device.type for tensor in module.parameters()} == {"cpu"}


@pytest.mark.parametrize("killed_at", [1, 2, 7, 12, 17])
def test_a_fit_that_was_killed_ends_with_the_weights_of_an_undisturbed_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, killed_at: int
) -> None:
    # given
    caplog.set_level(logging.INFO)
    undisturbed = fit(line(), epochs=3)
    expected = [text.split(", 0.")[0] for text in lines(caplog)]
    caplog.clear()
    module = line()
    module.killed_at = killed_at
    with job(tmp_path), pytest.raises(Killed):
        fit(module, epochs=3, checkpoint_steps=2)

    # when
    with job(tmp_path):
        resumed = line()
        fit(resumed, epochs=3, checkpoint_steps=2)

    # then
    assert_same(resumed, undisturbed)
    assert [text.split(", 0.")[0] for text in lines(caplog)] == expected
    kept = (killed_at - 1) // 6 * 6 + (killed_at - 1) % 6 // 2 * 2
    assert resumed.passes == 18 - kept


def test_rows_are_hashed_only_where_checkpoints_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[FitRows] = []
    digest = FitRows.digest

    def remember(rows: FitRows) -> str:
        hashed.append(rows)
        return digest(rows)

    monkeypatch.setattr(FitRows, "digest", remember)

    fit(line(), epochs=1)
    assert hashed == []

    with training_context(TrainingContext(run_id="", checkpoints=tmp_path)):
        fit(line(), epochs=1)
    assert len(hashed) == 1


def test_without_a_train_job_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    fit(line(), checkpoint_steps=1)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"learning_rate": 0.02},
        {"seed": 6},
        {"target": 1 - classes()},
        {"first_weights": 1},
        {"loss": doubled},
    ],
    ids=["rate", "seed", "rows", "first_weights", "loss"],
)
def test_another_fits_checkpoint_is_never_resumed(tmp_path: Path, changes: dict[str, Any]) -> None:
    with job(tmp_path):
        fit(line())

        other = line(first_weights=changes.pop("first_weights", 0))
        fit(other, **changes)

    assert other.passes == 18


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (scaled(2.0), scaled(3.0)),
        (functools.partial(nn.functional.cross_entropy), nn.functional.cross_entropy),
        (nn.CrossEntropyLoss(), nn.CrossEntropyLoss(label_smoothing=0.1)),
        (nn.CrossEntropyLoss(), nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0]))),
    ],
    ids=["closure", "partial", "attribute", "tensor"],
)
def test_a_loss_is_another_by_what_it_holds_and_the_same_when_it_is_made_anew(
    tmp_path: Path, first: Loss, second: Loss
) -> None:
    with job(tmp_path):
        fit(line(), loss=first)
        other, again = line(), line()
        fit(other, loss=second)
        fit(again, loss=copy.deepcopy(second))

    assert (other.passes, again.passes) == (18, 0)


def test_a_loss_that_holds_itself_can_be_told_from_others(tmp_path: Path) -> None:
    class Circle:
        def __init__(self) -> None:
            self.own = [self, logging]

        def loss(self, logits: Tensor, target: Tensor) -> Tensor:
            return cross_entropy(logits, target)

    with job(tmp_path):
        fit(line(), loss=Circle().loss)
        again = line()
        fit(again, loss=Circle().loss)

    assert again.passes == 0


def test_how_often_it_is_kept_does_not_make_it_another_fit(tmp_path: Path) -> None:
    with job(tmp_path):
        fit(line())

        again = line()
        fit(again, checkpoint_steps=1, checkpoint_seconds=1.0)

    assert again.passes == 0


def test_changed_code_makes_it_another_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with job(tmp_path):
        fit(line())
        monkeypatch.setattr(inspect, "getsource", lambda _: "edited")

        edited = line()
        fit(edited)

    assert edited.passes == 18


@pytest.mark.parametrize(
    ("schedule", "epochs", "moved"),
    [("constant", 1, 0.02), ("constant", 2, 0.04), ("one_cycle", 1, 0.02 / 25), ("one_cycle", 2, 0.02 / 25)],
)
def test_a_step_goes_as_far_as_its_rate_and_the_clipped_gradient_say(
    schedule: str, epochs: int, moved: float
) -> None:
    module = line()
    before = nn.utils.parameters_to_vector(module.parameters()).detach().clone()

    fit(
        module,
        epochs=epochs,
        batch_rows=ROWS,
        validation_share=0,
        optimiser="sgd",
        momentum=0,
        weight_decay=0,
        learning_rate=20,
        learning_rate_schedule=schedule,
        gradient_norm_limit=0.001,
    )

    after = nn.utils.parameters_to_vector(module.parameters()).detach()
    assert float((after - before).norm()) == pytest.approx(moved, rel=0.1)


def test_an_epoch_that_is_no_better_is_no_progress(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    fit(line(), epochs=10, learning_rate=1e-30, weight_decay=0, patience_epochs=2)

    assert len(lines(caplog)) == 3
    assert "(best: epoch 1)" in lines(caplog)[-1]


def test_it_stops_without_progress_and_takes_the_best_weights(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    # The target is noise, so that the validation loss soon rises.
    noise = torch.randint(0, 2, (ROWS,), generator=torch.Generator().manual_seed(2))

    module = fit(line(), target=noise, epochs=60, learning_rate=0.1, patience_epochs=4, validation_share=0.25)

    told = lines(caplog)
    assert len(told) < 60
    best = [text for text in told if "(best)" in text][-1]
    assert told.index(best) == len(told) - 5
    with torch.no_grad():
        held = nn.functional.cross_entropy(module(numbers()[150:]), noise[150:])
    assert float(best.split("validation loss ")[1].split(" ")[0]) == pytest.approx(float(held), abs=1e-5)


def test_without_held_out_rows_every_epoch_is_fitted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    fit(line(), validation_share=0, epochs=4, patience_epochs=1)

    assert len(lines(caplog)) == 4
    assert "validation" not in lines(caplog)[-1]


def test_each_epoch_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    fit(line(), epochs=2)

    assert [text.split(":")[0] for text in lines(caplog)] == ["epoch 1/2", "epoch 2/2"]
    assert lines(caplog)[0].endswith("rows/s")


def test_a_loss_that_is_not_finite_names_epoch_and_step() -> None:
    target = numbers().sum(dim=1)
    module = line(outputs=1)
    passes = iter(range(100))
    module.layers.register_forward_hook(
        lambda _module, _inputs, answer: (
            answer * math.nan if module.training and next(passes) == 8 else answer
        )
    )

    with pytest.raises(EvaluationError, match=r"the loss is nan in epoch 2, step 3/6: the fit has diverged"):
        fit(module, target=target)


def test_what_has_diverged_is_not_kept_even_before_anyone_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: looks are rarer than checkpoints, as on a GPU
    monkeypatch.setitem(losses._STEPS_BETWEEN_LOOKS, "cpu", 5)
    module = line()
    passes = iter(range(100))
    module.layers.register_forward_hook(
        lambda _module, _inputs, answer: answer * math.nan if next(passes) == 2 else answer
    )

    # when
    with job(tmp_path), pytest.raises(EvaluationError, match="epoch 1, one of the steps 1 to 5/6"):
        fit(module, checkpoint_steps=1)

    # then
    assert sorted(path.name for path in tmp_path.rglob("*.checkpoint")) == [
        "000001-0000000001.checkpoint",
        "000001-0000000002.checkpoint",
    ]


@pytest.mark.parametrize("share", [0.1, 0.0])
def test_too_few_rows_are_refused(share: float) -> None:
    with pytest.raises(DeclarationError, match="too few"):
        fit_module(
            line(),
            (torch.zeros(0, 3),),
            torch.zeros(0, dtype=torch.long),
            settings=TorchSettings(validation_share=share),
            seed=0,
        )


def test_tensors_of_different_lengths_are_refused() -> None:
    with pytest.raises(DeclarationError, match=r"have \[199, 200\] rows"):
        fit_module(line(), (numbers(),), classes()[:-1], settings=TorchSettings(), seed=0)


def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    with pytest.raises(DeclarationError, match="torch finds no GPU here"):
        fit(line(), device="cuda")


def test_short_floats_give_almost_the_same_weights() -> None:
    exact, short = fit(line(), epochs=1), fit(line(), epochs=1, mixed_precision="bfloat16")

    pairs = list(zip(weights(exact), weights(short), strict=True))
    assert all(np.allclose(one, two, atol=0.05) for one, two in pairs)
    assert any((one != two).any() for one, two in pairs)
