"""A cross-validation scores the whole procedure on rows that it has not seen."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import tuning_models
from mlops_core.errors import EvaluationError
from mlops_core.search import Choice, Search
from mlops_core.training.rows import LabelledRows
from mlops_core.training.tuning.documents import CrossValidation
from mlops_core.training.tuning.nested import cross_validate
from mlops_core.training.tuning.procedure import Procedure

MakeRows = Callable[..., LabelledRows]
SEARCH = tuning_models.SEARCH


def test_a_plain_one_has_the_score_of_every_fold_their_mean_and_spread(
    procedure: Procedure, make_rows: MakeRows
) -> None:
    found = cross_validate(procedure, make_rows(*tuning_models.PARTITIONS), folds=2, search=None, folder=None)

    # 10 is predicted: right in April, 2 off in May.
    assert [fold.score for fold in found.folds] == [0.0, 2.0]
    assert (found.mean, found.std) == (1.0, pytest.approx(2**0.5))
    assert not found.nested
    assert [fold.scored_on for fold in found.folds] == ["2013-04", "2013-05"]
    assert [(fold.fitted_rows, fold.scored_rows) for fold in found.folds] == [(12, 4), (16, 4)]
    assert CrossValidation.model_validate_json(found.model_dump_json()) == found


def test_a_nested_one_never_fits_on_rows_of_its_fold_or_later(
    procedure: Procedure, rows: LabelledRows, fits: list[list[float]]
) -> None:
    found = cross_validate(procedure, rows, folds=3, search=SEARCH, folder=None)

    # Every fit belongs to an outer fold in turn; the fit that is scored is the first on all rows before it.
    assert found.nested
    for number, fold in enumerate(found.folds, start=1):
        window = rows.features["place"].tolist()[: fold.fitted_rows]
        end = fits.index(window) + 1
        assert end > 1
        assert all(set(fit) < set(window) for fit in fits[: end - 1])
        del fits[:end]
        assert fold.parameters, f"fold {number} has its own choice"
    assert fits == []


def test_each_outer_fold_has_the_score_of_what_its_own_search_has_chosen(
    procedure: Procedure, rows: LabelledRows
) -> None:
    found = cross_validate(procedure, rows, folds=3, search=SEARCH, folder=None)

    for fold in found.folds:
        assert fold.score == pytest.approx(abs(float(str(fold.parameters["value"])) - 10.0))


def test_its_words_say_that_the_rows_are_not_the_held_out_ones(
    procedure: Procedure, rows: LabelledRows
) -> None:
    found = cross_validate(procedure, rows, folds=3, search=SEARCH, folder=None)

    assert (
        "nested cross-validation in 3 folds of the training rows (not the held-out rows)" in found.in_words()
    )


def test_a_fold_without_a_score_is_no_mean_over_the_others(procedure: Procedure, rows: LabelledRows) -> None:
    diverged = replace(procedure, parameters={"kind": "diverged"})

    with pytest.raises(EvaluationError, match=r"cross-validation, fold 1 \(2013-02\): .*NaN or infinite"):
        cross_validate(diverged, rows, folds=3, search=None, folder=None)


def test_a_fold_whose_search_fails_wholly_is_named(procedure: Procedure, rows: LabelledRows) -> None:
    hopeless = Search(parameters={"kind": Choice(("broken", "diverged"))}, trials=3, folds=2)

    with pytest.raises(EvaluationError, match="outer_fold_1: none of 3 trials"):
        cross_validate(procedure, rows, folds=3, search=hopeless, folder=None)


def test_the_searches_of_a_killed_one_are_not_made_again(
    procedure: Procedure, rows: LabelledRows, tmp_path: Path, fits: list[list[float]]
) -> None:
    first = cross_validate(procedure, rows, folds=3, search=SEARCH, folder=tmp_path)
    fits.clear()

    assert cross_validate(procedure, rows, folds=3, search=SEARCH, folder=tmp_path) == first
    assert len(fits) == 3
