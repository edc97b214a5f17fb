"""The search for a candidate's parameters: trials on time-ordered folds of the training rows."""

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import JsonValue

from mlops_core.errors import EvaluationError, ServiceUnavailableError
from mlops_core.search import Search
from mlops_core.training.rows import LabelledRows
from mlops_core.training.tuning.documents import Trial, Tuning
from mlops_core.training.tuning.folds import Fold, time_ordered_folds
from mlops_core.training.tuning.procedure import Procedure
from mlops_core.training.tuning.study import (
    REASON,
    SCORES,
    SECONDS,
    as_trial,
    ask,
    finished,
    open_study,
)

if TYPE_CHECKING:
    import optuna

_LONGEST_REASON = 300

log = logging.getLogger("mlops_core.training")


def tune(
    procedure: Procedure, rows: LabelledRows, *, search: Search, name: str, folder: Path | None
) -> Tuning:
    """Try parameters on folds of the rows, or go on where a process was killed that did.

    A trial whose fit raises, or whose metric is undefined or not finite, has failed; the others decide.

    Parameters
    ----------
    name
        Tells the searches of one job apart, in its folder and in its log.
    folder
        Where the trials are kept for a retry; None keeps them in memory.

    Raises
    ------
    EmptySampleError
        If there are fewer rows than folds need.
    ServiceUnavailableError
        If something outside did not answer a fit; call again.
    """
    folds = time_ordered_folds(rows, folds=search.folds)
    study = open_study(name, metric=procedure.metric, folder=folder)
    tuning = _tuning(study, procedure)
    if tuning.trials:
        log.info("%s: goes on after %d trials", name, len(tuning.trials))
    while not _is_over(tuning, search):
        _run_trial(study, procedure, rows, folds=folds, search=search)
        tuning = _tuning(study, procedure)
        log.info("%s: %s", name, _line(tuning, search))
    return tuning


def best_parameters(tuning: Tuning, *, name: str) -> dict[str, JsonValue]:
    """Return the parameters of the best trial.

    Raises
    ------
    EvaluationError
        If every trial has failed.
    """
    best = tuning.best
    if best is None:
        reasons = list(dict.fromkeys(trial.reason for trial in tuning.trials if trial.reason))
        raise EvaluationError(
            f"{name}: none of {len(tuning.trials)} trials has a {tuning.metric}; mend the fit or the ranges "
            f"of the search. {'; '.join(reasons[:3])}"
        )
    return dict(best.parameters)


def _is_over(tuning: Tuning, search: Search) -> bool:
    # Counted by what the trials took, so that a retry does not begin another one after the last.
    spent = sum(trial.seconds for trial in tuning.trials)
    late = search.timeout_seconds is not None and bool(tuning.trials) and spent >= search.timeout_seconds
    return late or len(tuning.trials) >= search.trials


def _run_trial(
    study: "optuna.Study",
    procedure: Procedure,
    rows: LabelledRows,
    *,
    folds: tuple[Fold, ...],
    search: Search,
) -> None:
    from optuna.trial import TrialState

    began = time.perf_counter()
    trial = ask(study, search, seed=procedure.seed)
    known = _scores_of_equal(study, trial.params)
    scores: list[float] = []
    reason, pruned = "", False
    for number, fold in enumerate(folds):
        try:
            value = known[number] if known else procedure.score(rows, fold, chosen=trial.params)
        except ServiceUnavailableError:
            raise
        except Exception as error:  # whatever one combination of parameters makes of a fit
            log.debug("a trial has failed", exc_info=True)
            reason = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
            break
        scores.append(value)
        trial.report(float(np.mean(scores)), step=number)
        if not known and len(scores) < len(folds) and trial.should_prune():
            pruned = True
            break
    trial.set_user_attr(SCORES, scores)
    trial.set_user_attr(SECONDS, time.perf_counter() - began)
    if reason:
        trial.set_user_attr(REASON, reason)
        study.tell(trial, state=TrialState.FAIL)
    elif pruned:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, float(np.mean(scores)))


def _scores_of_equal(study: "optuna.Study", parameters: Mapping[str, JsonValue]) -> list[float]:
    """Return the scores of an earlier trial of the same parameters: a fit with the same seed repeats them."""
    wanted = json.dumps(parameters, sort_keys=True)
    for trial in finished(study):
        if trial.state.name == "COMPLETE" and json.dumps(trial.params, sort_keys=True) == wanted:
            return list(trial.user_attrs[SCORES])
    return []


def _tuning(study: "optuna.Study", procedure: Procedure) -> Tuning:
    return Tuning(
        metric=procedure.metric.name,
        greater_is_better=procedure.metric.greater_is_better,
        trials=tuple(as_trial(trial, number=number) for number, trial in enumerate(finished(study), start=1)),
    )


def _line(tuning: Tuning, search: Search) -> str:
    trial, best = tuning.trials[-1], tuning.best
    return (
        f"trial {trial.number}/{search.trials} {json.dumps(trial.parameters)}: "
        f"{_outcome(trial, tuning.metric)}, {trial.seconds:.1f} s"
        + ("" if best is None else f" (best: {best.score:.5f} of trial {best.number})")
    )


def _outcome(trial: Trial, metric: str) -> str:
    if trial.score is not None:
        return f"{metric} {trial.score:.5f}"
    if trial.state == "pruned":
        return f"ended after {len(trial.fold_scores)} folds, worse than the trials before"
    return f"failed: {trial.reason}"
