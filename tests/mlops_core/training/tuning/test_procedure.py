"""A candidate is fitted before a fold and judged on it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import toy_models
import tuning_models
from mlops_core.errors import EvaluationError
from mlops_core.evaluation.catalogue import find_metric
from mlops_core.training.context import TrainingContext, current_training, training_context
from mlops_core.training.rows import LabelledRows, labelled_rows
from mlops_core.training.tuning.folds import Fold, time_ordered_folds
from mlops_core.training.tuning.procedure import Procedure


@pytest.fixture
def fold(rows: LabelledRows) -> Fold:
    return time_ordered_folds(rows, folds=3)[1]


def test_it_is_fitted_on_the_rows_before_and_scored_on_the_folds_own(
    procedure: Procedure, rows: LabelledRows, fold: Fold, fits: list[list[float]]
) -> None:
    assert procedure.score(rows, fold, chosen={"value": 7.5}) == 2.5
    assert fits == [rows.features["place"].tolist()[:8]]


def test_a_chosen_parameter_comes_beside_the_declared(
    procedure: Procedure, rows: LabelledRows, fold: Fold
) -> None:
    declared = replace(procedure, parameters={"value": 8.0})

    assert declared.score(rows, fold, chosen={"kind": "plain"}) == 2.0


def test_the_scored_rows_are_the_latest_of_a_changing_target(procedure: Procedure, make_rows: Any) -> None:
    rows = make_rows(*tuning_models.PARTITIONS)
    last = time_ordered_folds(rows, folds=4)[-1]

    assert procedure.score(rows, last, chosen={"value": 10.0}) == 2.0


def test_a_score_that_is_not_finite_is_refused(procedure: Procedure, rows: LabelledRows, fold: Fold) -> None:
    with pytest.raises(EvaluationError, match="NaN or infinite"):
        procedure.score(rows, fold, chosen={"kind": "diverged"})


def test_a_score_outside_its_range_is_refused(procedure: Procedure, rows: LabelledRows, fold: Fold) -> None:
    narrow = replace(procedure, metric=replace(procedure.metric, upper=1.0))

    with pytest.raises(EvaluationError, match=r"mae on 2013-03 is 3.0, no finite number in \[0, 1\]"):
        narrow.score(rows, fold, chosen={"value": 7.0})


def test_rows_of_one_class_are_refused_with_words() -> None:
    rows = labelled_rows(toy_models.load("2013-01"), pipeline=toy_models.BINARY)
    order = rows.target.sort_values(kind="stable").index.to_numpy()
    fold = Fold(fitted=order[:10], scored=order[10:], fitted_on="rows 1 to 10", scored_on="rows 11 to 190")
    procedure = Procedure(
        fit=toy_models.fit_trees,
        candidate="trees",
        task=toy_models.BINARY.task,
        metric=find_metric("roc_auc"),
        seed=1,
    )

    with pytest.raises(
        EvaluationError, match="rows 1 to 10: all 10 rows have one class; ask for fewer folds"
    ):
        procedure.score(rows, fold, chosen={})


@pytest.fixture
def context(tmp_path: Path) -> Iterator[TrainingContext]:
    with training_context(TrainingContext(run_id="r", client=object(), checkpoints=tmp_path)) as current:  # type: ignore[arg-type]
        yield current


def test_a_fit_aside_says_nothing_to_the_run_and_leaves_no_checkpoint(
    procedure: Procedure,
    rows: LabelledRows,
    fold: Fold,
    context: TrainingContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[TrainingContext | None] = []

    def keep(**_: object) -> None:
        current = current_training()
        seen.append(current)
        assert current is not None
        current.checkpoints.mkdir(parents=True)
        (current.checkpoints / "one").touch()

    monkeypatch.setattr(tuning_models, "before_fit", keep)

    procedure.score(rows, fold, chosen={})

    [aside] = seen
    assert aside is not None
    assert aside.client is None
    assert aside.checkpoints.parent == context.checkpoints
    assert list(context.checkpoints.iterdir()) == []
    assert next(context.fit_numbers) == 1


def test_a_fit_that_was_ended_finds_its_checkpoints_again(
    procedure: Procedure,
    rows: LabelledRows,
    fold: Fold,
    context: TrainingContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def end(**_: object) -> None:
        current = current_training()
        assert current is not None
        current.checkpoints.mkdir(parents=True)
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning_models, "before_fit", end)

    with pytest.raises(KeyboardInterrupt):
        procedure.score(rows, fold, chosen={})

    assert len(list(context.checkpoints.iterdir())) == 1


def test_the_fit_gets_rows_numbered_from_zero(procedure: Procedure, rows: LabelledRows, fold: Fold) -> None:
    given: list[Any] = []

    def fit(features: pd.DataFrame, target: pd.Series, *, seed: int) -> Any:
        given.extend([features.index.tolist(), target.index.tolist(), seed])
        return tuning_models.fit_constant(features, target, seed=seed)

    replace(procedure, fit=fit).score(rows, fold, chosen={})

    assert given == [list(range(8)), list(range(8)), 3]
