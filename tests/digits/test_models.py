"""Both candidates read digits that they were not fitted on, and are stored as they were fitted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from digits.columns import PARTITIONS, PIXELS
from digits.pipeline import PIPELINE
from mlops_core.references import resolve
from mlops_core.training.rows import LabelledRows
from mlops_core.training.seeds import seeded
from model_examples import loaded, read_back, rows_of

pytestmark = pytest.mark.slow

Fit = Callable[..., Any]
FEW = {"convolutional_network": {"epochs": 6}, "logistic_regression": {}}


@pytest.fixture(scope="module")
def rows() -> LabelledRows:
    return rows_of(PIPELINE, *PARTITIONS[:4])


@pytest.fixture(scope="module", params=[candidate.name for candidate in PIPELINE.candidates])
def fit(request: pytest.FixtureRequest) -> Fit:
    function = resolve(PIPELINE.candidate(request.param).fit)

    def fitted(rows: LabelledRows, *, seed: int) -> Any:
        with seeded(seed):
            return function(rows.features, rows.target, seed=seed, **FEW[request.param])

    return fitted


@pytest.fixture(scope="module")
def estimator(fit: Fit, rows: LabelledRows) -> Any:
    return fit(rows, seed=0)


def test_the_next_months_digits_are_read(estimator: Any, rows: LabelledRows) -> None:
    later = rows_of(PIPELINE, PARTITIONS[4])

    model = loaded(PIPELINE, estimator, rows)

    assert model.classes == tuple(range(10))
    assert (model.predict(later.features).labels == later.target).mean() > 0.8


def test_the_same_seed_gives_the_same_probabilities(estimator: Any, fit: Fit, rows: LabelledRows) -> None:
    first, second = (
        loaded(PIPELINE, fitted, rows).predict(rows.features).scores
        for fitted in (estimator, fit(rows, seed=0))
    )

    np.testing.assert_array_equal(first, second)


def test_a_scan_with_a_hole_is_answered(estimator: Any, rows: LabelledRows) -> None:
    empty = pd.DataFrame([dict.fromkeys(PIXELS)])

    scores = loaded(PIPELINE, estimator, rows).predict(pd.concat([rows.features.head(1), empty])).scores

    assert scores.shape == (2, 10)
    np.testing.assert_allclose(scores.sum(axis=1), 1)


def test_it_is_stored_without_trusting_types_of_its_own(
    estimator: Any, rows: LabelledRows, tmp_path: Path
) -> None:
    model = read_back(PIPELINE, estimator, rows, folder=tmp_path)

    np.testing.assert_array_equal(
        model.predict(rows.features).scores, loaded(PIPELINE, estimator, rows).predict(rows.features).scores
    )
