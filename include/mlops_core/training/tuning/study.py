"""Optuna studies that survive a kill: the same seed gives the same trials, in one process or in several."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlops_core.evaluation.catalogue import Metric
from mlops_core.search import Choice, Float, Range, Search
from mlops_core.training.tuning.documents import Trial

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial
    from pydantic import JsonValue

SCORES, SECONDS, REASON = "fold_scores", "seconds", "reason"

log = logging.getLogger(__name__)


def open_study(name: str, *, metric: Metric, folder: Path | None) -> "optuna.Study":
    """Return the study of a name, as far as it has come; a new one where there is none.

    Parameters
    ----------
    folder
        Where its journal lies; None keeps it in memory. Only one process at a time may open it.
    """
    import optuna

    verbosity = optuna.logging.get_verbosity()
    # Optuna would say of every study that it was created or found.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(
            study_name=name,
            storage=None if folder is None else _journal(folder / f"{name}.journal"),
            direction="maximize" if metric.greater_is_better else "minimize",
            pruner=optuna.pruners.MedianPruner(),
            load_if_exists=True,
        )
    finally:
        optuna.logging.set_verbosity(verbosity)
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        # It is made again, under the seed of its place: the sampler looks at no failed trial.
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def ask(study: "optuna.Study", search: Search, *, seed: int) -> "optuna.Trial":
    """Begin a trial, whose parameters follow from those before it and from the seed of its place."""
    import optuna

    place = len(finished(study))
    # A generator that went on from trial to trial would start again after a kill, and draw others.
    (own,) = np.random.SeedSequence([seed, place]).generate_state(1)
    study.sampler = optuna.samplers.TPESampler(seed=int(own))
    # Sorted: the job's digest does not tell the order in which parameters were written.
    ranges = {name: _distribution(search.parameters[name]) for name in sorted(search.parameters)}
    return study.ask(fixed_distributions=ranges)


def finished(study: "optuna.Study") -> "list[FrozenTrial]":
    """Return the trials that came to an end of their own, in order; a killed one failed for no reason."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state.is_finished() and (trial.state.name != "FAIL" or REASON in trial.user_attrs)
    ]


def as_trial(trial: "FrozenTrial", *, number: int) -> Trial:
    """Return a finished trial as a document; interrupted ones have no number."""
    ended = trial.datetime_complete
    parameters: dict[str, JsonValue] = {name: trial.params[name] for name in sorted(trial.params)}
    state = trial.state.name
    return Trial(
        number=number,
        parameters=parameters,
        state="complete" if state == "COMPLETE" else "pruned" if state == "PRUNED" else "failed",
        fold_scores=tuple(trial.user_attrs.get(SCORES, ())),
        score=trial.value if state == "COMPLETE" else None,
        reason=trial.user_attrs.get(REASON, ""),
        seconds=trial.user_attrs.get(SECONDS, 0.0),
        finished_at=0.0 if ended is None else ended.timestamp(),
    )


def _distribution(declared: Range) -> "BaseDistribution":
    from optuna import distributions

    if isinstance(declared, Choice):
        return distributions.CategoricalDistribution(declared.values)
    if isinstance(declared, Float):
        return distributions.FloatDistribution(declared.low, declared.high, log=declared.log)
    return distributions.IntDistribution(declared.low, declared.high, log=declared.log)


def _journal(path: Path) -> "optuna.storages.JournalStorage":
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    path.parent.mkdir(parents=True, exist_ok=True)
    # A process that was killed while it wrote leaves its lock, for which the next would wait in vain, and
    # perhaps half a line, behind which nothing can be read.
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
    content = path.read_bytes() if path.exists() else b""
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        path.write_bytes(content[:whole])
    try:
        return JournalStorage(JournalFileBackend(str(path)))
    except (ValueError, KeyError, TypeError) as error:
        log.warning("the journal %s cannot be read, its search begins again: %s", path, error)
        path.unlink()
        return JournalStorage(JournalFileBackend(str(path)))
