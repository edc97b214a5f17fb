"""The loop that fits a module, and that goes on where a killed process has left it."""

import copy
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from mlops_core.errors import EvaluationError
from mlops_core.training.context import current_training
from mlops_core.training.processes import Processes
from mlops_core.training.torch.checkpoints import Checkpoints, read_state
from mlops_core.training.torch.device import Precision, choose_device, reproducible, seed_step
from mlops_core.training.torch.feed import Feed
from mlops_core.training.torch.identity import fit_identity
from mlops_core.training.torch.losses import DIVERGED, Loss, LossSum, default_loss
from mlops_core.training.torch.optimisers import learning_rate, make_optimiser
from mlops_core.training.torch.progress import Epoch, MetricsReporter
from mlops_core.training.torch.rows import FitRows
from mlops_core.training.torch.settings import TorchSettings
from mlops_core.training.torch.together import Together

_Module = TypeVar("_Module", bound=nn.Module)

log = logging.getLogger("mlops_core.training")


def fit_module(
    module: _Module,
    encoded: Sequence[Tensor],
    target: Tensor,
    *,
    settings: TorchSettings,
    seed: int,
    loss: Loss | None = None,
) -> _Module:
    """Fit a module on encoded rows, and return it on the CPU, ready to predict, with its best weights.

    Inside a train job it keeps checkpoints: killed anywhere and called again with the same arguments, the
    module's first weights among them, it goes on in the middle of the epoch and ends, on the CPU, with the
    very weights that it would have had. A job may fit several modules. Started by torchrun, each process
    computes its share of every batch, and all end with the same weights.

    Parameters
    ----------
    encoded
        What ``forward`` takes, a row of each tensor a row; in order of time where the settings hold out the
        last rows.
    target
        Shape (n,): whole numbers name classes in the order of the logits, fractions are values.
    loss
        Of ``forward``'s answer and the target, averaged over the rows. If None cross-entropy for classes
        (of the odds where there is one logit a row), the squared error for values.

    Raises
    ------
    EvaluationError
        If the loss is NaN or infinite; it names epoch and step.
    DeclarationError
        If there are too few rows, or no GPU where one is asked for.
    """
    processes = Processes.from_environment()
    device = choose_device(settings, processes)
    rows = FitRows.of(encoded, target, settings=settings, seed=seed, world_size=processes.world_size)
    with reproducible(settings, device):
        fit = _Fit(module.to(device), rows, settings, seed, loss or default_loss(target), processes, device)
        fit.run()
    return module.cpu().eval()


@dataclass
class _Progress:
    """Where a fit is. A checkpoint is this, and the states of module, optimiser and scaler."""

    epoch: int = 1
    step: int = 0
    loss_sum: float = 0.0
    loss_rows: int = 0
    seconds: float = 0.0
    best_loss: float = math.inf
    best_epoch: int = 0
    best_weights: dict[str, Tensor] | None = None
    epochs: list[dict[str, Any]] = field(default_factory=list)


class _Fit:
    """One fit."""

    def __init__(
        self,
        module: nn.Module,
        rows: FitRows,
        settings: TorchSettings,
        seed: int,
        loss: Loss,
        processes: Processes,
        device: torch.device,
    ) -> None:
        context = current_training()
        self._module, self._rows, self._settings, self._seed = module, rows, settings, seed
        self._loss, self._processes, self._device = loss, processes, device
        folder = context.checkpoints if context is not None and processes.leads_its_machine else None
        self._reporter = MetricsReporter(context if processes.leads else None)
        self._together = Together(processes, device)
        self._identity = ""
        # It names checkpoints alone, and hashes every row. Each process may draw first weights of its own;
        # all start from the first one's.
        if folder is not None or processes.world_size > 1:
            own = fit_identity(module, rows, settings=settings, seed=seed, loss=loss)
            self._identity = self._together.agree(own)
        self._checkpoints = Checkpoints(folder, identity=self._identity)
        self._parallel = self._together.wrap(module)
        self._feed = Feed((*rows.encoded, rows.target), device)
        self._losses = LossSum(device)
        self._optimiser = make_optimiser(module, settings)
        self._precision = Precision(settings, device)
        self._steps = rows.steps(batch_rows=settings.batch_rows, world_size=processes.world_size)
        self._progress = _Progress()
        self._kept_at = time.monotonic()

    def run(self) -> None:
        self._resume()
        while not self._is_over():
            self._run_epoch()
        self._reporter.send(self._epochs(), last=True)
        if self._progress.best_weights is not None:
            self._module.load_state_dict(self._progress.best_weights)
        self._together.align(self._module)

    def _is_over(self) -> bool:
        progress = self._progress
        waited = progress.epoch - 1 - progress.best_epoch
        stops_early = len(self._rows.validation) > 0 and waited >= self._settings.patience_epochs
        return progress.epoch > self._settings.epochs or stops_early

    def _run_epoch(self) -> None:
        progress = self._progress
        self._parallel.train()
        began = time.perf_counter() - progress.seconds
        self._losses.start(progress.loss_sum, step=progress.step)
        batches = self._rows.batches(
            seed=self._seed,
            epoch=progress.epoch,
            batch_rows=self._settings.batch_rows,
            processes=self._processes,
            device=self._feed.places_device,
        )
        for step, (places, batch_rows) in enumerate(batches):
            if step < progress.step:
                continue
            self._run_step(step, places, batch_rows)
            progress.step = step + 1
            progress.loss_rows += batch_rows
            self._losses.look(epoch=progress.epoch, step=progress.step, steps=self._steps)
            progress.seconds = time.perf_counter() - began
            if self._checkpoint_is_due() and progress.step < self._steps:
                self._keep()
        progress.loss_sum = self._losses.read()
        self._end_epoch(began)
        self._keep()

    def _run_step(self, step: int, places: Tensor, batch_rows: int) -> None:
        progress, world_size = self._progress, self._processes.world_size
        rank, device = self._processes.rank, self._device
        seed_step(self._seed, epoch=progress.epoch, step=step, rank=rank, device=device)
        rate = learning_rate(
            self._settings, step=(progress.epoch - 1) * self._steps + step, steps=self._steps
        )
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.zero_grad(set_to_none=True)
        loss = self._loss_of(self._parallel, places)
        # Gradients are averaged over processes whose shares may differ by a row; this gives the batch's mean.
        share = loss * (len(places) * world_size / batch_rows)
        scaler = self._precision.scaler
        torch.autograd.backward(scaler.scale(share))
        self._losses.add(self._together.sum(loss.detach().double() * len(places)))
        if self._settings.gradient_norm_limit is not None:
            scaler.unscale_(self._optimiser)
            nn.utils.clip_grad_norm_(self._module.parameters(), self._settings.gradient_norm_limit)
        scaler.step(self._optimiser)
        scaler.update()

    def _end_epoch(self, began: float) -> None:
        progress = self._progress
        validation = self._validation_loss()
        if validation is not None and validation < progress.best_loss:
            progress.best_loss, progress.best_epoch = validation, progress.epoch
            progress.best_weights = copy.deepcopy(self._module.state_dict())
        epoch = Epoch(
            number=progress.epoch,
            training_loss=progress.loss_sum / progress.loss_rows,
            validation_loss=validation,
            rows=progress.loss_rows,
            seconds=time.perf_counter() - began,
            finished_at=time.time(),
        )
        progress.epochs.append(epoch.model_dump())
        if self._processes.leads:
            log.info("%s", epoch.line(epochs=self._settings.epochs, best=progress.best_epoch))
        self._reporter.send(self._epochs())
        progress.epoch += 1
        progress.step, progress.loss_sum, progress.loss_rows, progress.seconds = 0, 0.0, 0, 0.0

    def _validation_loss(self) -> float | None:
        if len(self._rows.validation) == 0:
            return None
        self._module.eval()
        shares = self._rows.validation.tensor_split(self._processes.world_size)
        share = shares[self._processes.rank].to(self._feed.places_device)
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        with torch.no_grad():
            # Larger batches than those of a step, because nothing is kept for a gradient.
            for places in torch.split(share, 4 * self._settings.batch_rows):
                if len(places) > 0:
                    total += self._loss_of(self._module, places).double() * len(places)
        value = float(self._together.sum(total)) / len(self._rows.validation)
        if not math.isfinite(value):
            raise EvaluationError(
                f"the validation loss is {value} after epoch {self._progress.epoch}: {DIVERGED}"
            )
        return value

    def _loss_of(self, module: Callable[..., Any], places: Tensor) -> Tensor:
        *encoded, target = self._feed.take(places)
        with self._precision.forward():
            logits = module(*encoded)
            return self._loss(logits, target)

    def _epochs(self) -> list[Epoch]:
        return [Epoch.model_validate(epoch) for epoch in self._progress.epochs]

    def _checkpoint_is_due(self) -> bool:
        if not self._checkpoints.enabled:
            return False
        steps = self._settings.checkpoint_steps
        if steps is not None:
            return self._progress.step % steps == 0
        return time.monotonic() - self._kept_at >= self._settings.checkpoint_seconds

    def _keep(self) -> None:
        progress = self._progress
        if not self._checkpoints.enabled:
            return
        if progress.step > 0:
            progress.loss_sum = self._losses.read()
        if not math.isfinite(progress.loss_sum):
            # The next look ends the fit, in every process at once; nothing shall go on from here.
            return
        state = {
            "module": self._module.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._precision.scaler.state_dict(),
            "progress": dict(vars(progress)),
        }
        self._checkpoints.write(state, epoch=progress.epoch, step=progress.step)
        self._kept_at = time.monotonic()

    def _resume(self) -> None:
        content = self._together.farthest(self._checkpoints.newest())
        if content is None:
            return
        state = read_state(content, identity=self._identity)
        self._module.load_state_dict(state["module"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._precision.scaler.load_state_dict(state["scaler"])
        self._progress = _Progress(**state["progress"])
        log.info("the fit goes on in epoch %d after step %d", self._progress.epoch, self._progress.step)
