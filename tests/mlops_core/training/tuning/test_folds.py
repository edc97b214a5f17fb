"""Folds go forward in time and never overlap."""

from collections.abc import Callable

import numpy as np
import pytest

from mlops_core.errors import EmptySampleError
from mlops_core.training.rows import LabelledRows
from mlops_core.training.tuning.folds import time_ordered_folds

MakeRows = Callable[..., LabelledRows]


def test_folds_are_whole_partitions_after_everything_before_them(rows: LabelledRows) -> None:
    folds = time_ordered_folds(rows, folds=3)

    assert [(fold.fitted_on, fold.scored_on) for fold in folds] == [
        ("2013-01", "2013-02"),
        ("2013-01 to 2013-02", "2013-03"),
        ("2013-01 to 2013-03", "2013-04"),
    ]
    for fold, last in zip(folds, (4, 8, 12), strict=True):
        np.testing.assert_array_equal(fold.fitted, np.arange(last))
        np.testing.assert_array_equal(fold.scored, np.arange(last, last + 4))


def test_surplus_partitions_go_to_the_first_fit(rows: LabelledRows) -> None:
    first, second = time_ordered_folds(rows, folds=2)

    assert (first.fitted_on, first.scored_on) == ("2013-01 to 2013-02", "2013-03")
    assert (second.fitted_on, second.scored_on) == ("2013-01 to 2013-03", "2013-04")


@pytest.mark.parametrize("partitions", [("2013-01",), ("2013-01", "2013-02")])
def test_with_too_few_partitions_rows_are_cut_in_their_order(
    make_rows: MakeRows, partitions: tuple[str, ...]
) -> None:
    rows = make_rows(*partitions)

    folds = time_ordered_folds(rows, folds=3)

    for fold in folds:
        assert fold.fitted.max() < fold.scored.min()
        np.testing.assert_array_equal(fold.fitted, np.arange(fold.scored[0]))
    assert folds[0].fitted_on == f"rows 1 to {len(folds[0].fitted)}"
    assert folds[-1].scored_on.endswith(f"to {len(rows.target)}")


def test_too_few_rows_are_refused(make_rows: MakeRows) -> None:
    with pytest.raises(EmptySampleError, match="4 labelled training rows make no 4 folds; train on more"):
        time_ordered_folds(make_rows("2013-01"), folds=4)
