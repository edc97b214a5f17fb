"""Two models are equal where every score is a number and lies within the tolerance; anything else is not."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_core.evaluation.catalogue import Task
from mlops_core.models.loaded import LoadedModel
from mlops_core.models.trust import TrustedCode
from mlops_core.reproduction.comparison import (
    StoredModel,
    differing_files,
    differing_values,
    prediction_difference,
)
from mlops_core.reproduction.report import TOLERANCE, PredictionDifference


class Fixed:
    """Answers the values of a column, moved."""

    def __init__(self, moved: float, *, classes: tuple[str, ...] = ("no", "yes")) -> None:
        self.moved = moved
        self.classes_ = np.array(classes)

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        return self.classes_[(self._scores(features) > 0.5).astype(int)]

    def predict_proba(self, features: pd.DataFrame) -> np.ndarray:
        scores = self._scores(features)
        return np.column_stack([1 - scores, scores])

    def _scores(self, features: pd.DataFrame) -> np.ndarray:
        return features["a"].to_numpy() + self.moved


ROWS = pd.DataFrame({"a": [0.1, 0.5, 0.9]})


def model(moved: float, **options: Any) -> LoadedModel:
    return LoadedModel.of(
        Fixed(moved, **options),
        task=Task.BINARY_CLASSIFICATION,
        features={"a": "double"},
        input_example=ROWS,
        digest="",
    )


def difference(first: LoadedModel, second: LoadedModel, rows: pd.DataFrame = ROWS) -> PredictionDifference:
    return prediction_difference(first, second, rows=rows, rows_of="held-out rows")


@pytest.mark.parametrize(
    ("moved", "within"), [(0.0, True), (-TOLERANCE / 2, True), (-TOLERANCE * 2, False), (-0.01, False)]
)
def test_scores_may_lie_apart_by_the_tolerance(moved: float, within: bool) -> None:
    found = difference(model(0), model(moved))

    assert found.largest == pytest.approx(-moved)
    assert found.mean == pytest.approx(-moved)
    assert found.within_tolerance is within
    assert (found.rows, found.changed_labels) == (3, 0)


def test_a_label_that_changes_is_never_within_the_tolerance() -> None:
    found = difference(model(0), model(TOLERANCE / 2))

    assert found.largest == pytest.approx(TOLERANCE / 2)
    assert found.changed_labels == 1
    assert not found.within_tolerance


def test_the_values_of_a_regression_are_no_labels() -> None:
    class Plain:
        def __init__(self, moved: float) -> None:
            self.moved = moved

        def predict(self, features: pd.DataFrame) -> np.ndarray:
            return features["a"].to_numpy() + self.moved

    first, second = (
        LoadedModel.of(
            Plain(moved), task=Task.REGRESSION, features={"a": "double"}, input_example=ROWS, digest=""
        )
        for moved in (0, TOLERANCE / 2)
    )

    found = difference(first, second)

    assert found.largest == pytest.approx(TOLERANCE / 2)
    assert (found.changed_labels, found.within_tolerance) == (0, True)


@pytest.mark.parametrize(("changed", "within"), [(0, True), (1, False), (100, False)])
def test_equal_scores_with_other_labels_are_not_equal(changed: int, within: bool) -> None:
    found = PredictionDifference(
        rows_of="held-out rows", rows=100, largest=0.0, mean=0.0, changed_labels=changed
    )

    assert found.within_tolerance is within


@pytest.mark.parametrize(
    ("second", "rows"),
    [
        (model(0, classes=("no", "maybe")), ROWS),
        (model(float("nan")), ROWS),
        (model(float("inf")), ROWS),
        (model(0), ROWS.head(0)),
    ],
    ids=["other classes", "nan", "infinite", "no rows"],
)
def test_scores_that_cannot_be_compared_are_never_equal(second: LoadedModel, rows: pd.DataFrame) -> None:
    found = difference(model(0), second, rows)

    assert (found.largest, found.mean) == (None, None)
    assert not found.within_tolerance


def test_files_differ_by_content_and_by_being_there() -> None:
    first, second = (
        StoredModel(model=model(0), files=files, named=TrustedCode())
        for files in (
            {"MLmodel": "1", "model.skops": "2", "old.txt": "3"},
            {"MLmodel": "1", "model.skops": "9", "new.txt": "3"},
        )
    )

    assert differing_files(first, second) == ("model.skops", "new.txt", "old.txt")
    assert first.content != second.content
    assert differing_files(first, first) == ()


def test_values_differ_by_name() -> None:
    assert [str(found) for found in differing_values({"rows": 3, "seed": 1}, {"rows": 4, "c": None})] == [
        "c was absent and is None",
        "rows was 3 and is 4",
        "seed was 1 and is absent",
    ]
