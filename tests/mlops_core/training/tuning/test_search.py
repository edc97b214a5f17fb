"""A search repeats itself, survives kills, and lets one bad trial be one bad trial."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tuning_models
from mlops_core.errors import EvaluationError, RegistryUnavailableError
from mlops_core.search import Choice, Float, Integer, Search
from mlops_core.training.rows import LabelledRows
from mlops_core.training.tuning.documents import Tuning
from mlops_core.training.tuning.procedure import Procedure
from mlops_core.training.tuning.search import best_parameters, tune

SEARCH = Search(
    parameters={"value": Float(low=0, high=20), "kind": Choice(("plain", "other"))}, trials=14, folds=3
)


class Killed(BaseException):
    """Ends a search as a kill does: nothing of its own runs afterwards."""


def what(tuning: Tuning) -> list[dict[str, Any]]:
    return [trial.model_dump(exclude={"seconds", "finished_at"}) for trial in tuning.trials]


def search(procedure: Procedure, rows: LabelledRows, declared: Search = SEARCH, folder: Any = None) -> Tuning:
    return tune(procedure, rows, search=declared, name="search", folder=folder)


def test_the_best_trial_has_the_best_mean_over_folds(procedure: Procedure, rows: LabelledRows) -> None:
    tuning = search(procedure, rows)

    assert [trial.number for trial in tuning.trials] == list(range(1, 15))
    for trial in tuning.trials:
        error = abs(trial.parameters["value"] - 10.0)  # type: ignore[operator]
        assert trial.fold_scores == pytest.approx([error] * len(trial.fold_scores))
        has_all_folds = len(trial.fold_scores) == SEARCH.folds
        assert trial.score == (pytest.approx(error) if has_all_folds else None)
    best = min(abs(trial.parameters["value"] - 10.0) for trial in tuning.trials)  # type: ignore[operator]
    assert tuning.best is not None
    assert tuning.best.score == pytest.approx(best)
    assert best_parameters(tuning, name="search") == tuning.best.parameters


def test_the_same_seed_gives_the_same_trials_and_another_gives_others(
    procedure: Procedure, rows: LabelledRows, tmp_path: Path
) -> None:
    first, second = search(procedure, rows), search(procedure, rows, folder=tmp_path)

    assert what(second) == what(first)
    assert what(search(replace(procedure, seed=4), rows)) != what(first)


def test_the_order_in_which_parameters_are_declared_changes_nothing(
    procedure: Procedure, rows: LabelledRows
) -> None:
    turned = SEARCH.model_copy(update={"parameters": dict(reversed(SEARCH.parameters.items()))})

    assert what(search(procedure, rows, turned)) == what(search(procedure, rows))


@pytest.mark.parametrize("fit", [1, 2, 3, 17, 25])
def test_a_search_that_was_killed_ends_as_one_that_was_not(
    procedure: Procedure, rows: LabelledRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fit: int
) -> None:
    # given
    undisturbed = search(procedure, rows)
    remaining = iter([False] * (fit - 1) + [True])

    def die(**_: object) -> None:
        if next(remaining, False):
            raise Killed

    monkeypatch.setattr(tuning_models, "before_fit", die)
    with pytest.raises(Killed):
        search(procedure, rows, folder=tmp_path)

    # when
    resumed = search(procedure, rows, folder=tmp_path)

    # then
    assert what(resumed) == what(undisturbed)


def test_what_was_tried_before_a_kill_is_not_fitted_again(
    procedure: Procedure, rows: LabelledRows, tmp_path: Path, fits: list[list[float]]
) -> None:
    search(procedure, rows, folder=tmp_path)
    fits.clear()

    search(procedure, rows, folder=tmp_path)

    assert fits == []


def test_a_clearly_worse_trial_ends_early(
    procedure: Procedure, rows: LabelledRows, fits: list[list[float]]
) -> None:
    tuning = search(procedure, rows)

    pruned = [trial for trial in tuning.trials if trial.state == "pruned"]
    assert pruned
    assert all(trial.score is None and len(trial.fold_scores) < 3 for trial in pruned)
    assert len(fits) == sum(len(trial.fold_scores) for trial in tuning.trials)


def test_equal_parameters_are_fitted_once(
    procedure: Procedure, rows: LabelledRows, fits: list[list[float]]
) -> None:
    small = Search(parameters={"value": Integer(low=9, high=10)}, trials=8, folds=2)

    tuning = search(procedure, rows, small)

    assert len(fits) == 2 * len({trial.parameters["value"] for trial in tuning.trials})
    assert {trial.score for trial in tuning.trials if trial.parameters["value"] == 9} == {1.0}


def test_a_trial_that_fails_is_recorded_and_the_others_decide(
    procedure: Procedure, rows: LabelledRows
) -> None:
    mixed = Search(parameters={"kind": Choice(("plain", "broken", "diverged"))}, trials=12, folds=2)

    tuning = search(procedure, rows, mixed)

    failed = {trial.parameters["kind"]: trial.reason for trial in tuning.trials if trial.state == "failed"}
    assert failed["broken"] == "ZeroDivisionError: this kind cannot be fitted"
    assert "NaN or infinite" in failed["diverged"]
    assert best_parameters(tuning, name="search") == {"kind": "plain"}
    assert tuning.summary().failed == sum(trial.state == "failed" for trial in tuning.trials)


def test_a_search_in_which_every_trial_fails_says_why(procedure: Procedure, rows: LabelledRows) -> None:
    hopeless = Search(parameters={"kind": Choice(("broken", "diverged"))}, trials=4, folds=2)

    with pytest.raises(EvaluationError, match=r"search: none of 4 trials has a mae; .*cannot be fitted"):
        best_parameters(search(procedure, rows, hopeless), name="search")


def test_a_service_that_does_not_answer_fails_no_trial(
    procedure: Procedure, rows: LabelledRows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: object) -> None:
        raise RegistryUnavailableError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(tuning_models, "before_fit", away)
        with pytest.raises(RegistryUnavailableError):
            search(procedure, rows, folder=tmp_path)

    assert what(search(procedure, rows, folder=tmp_path)) == what(search(procedure, rows))


def test_no_trial_is_begun_after_the_time_and_a_retry_begins_none_either(
    procedure: Procedure, rows: LabelledRows, tmp_path: Path
) -> None:
    short = SEARCH.model_copy(update={"timeout_seconds": 1e-9})

    assert len(search(procedure, rows, short, folder=tmp_path).trials) == 1
    assert len(search(procedure, rows, short, folder=tmp_path).trials) == 1


def test_each_trial_is_one_line_of_the_log(
    procedure: Procedure, rows: LabelledRows, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        tuning = search(procedure, rows)

    lines = [record.message for record in caplog.records]
    assert len(lines) == len(tuning.trials)
    assert lines[0].startswith('search: trial 1/14 {"kind": ')
