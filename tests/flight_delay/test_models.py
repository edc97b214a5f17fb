"""Both candidates learn something, answer the same for a seed, and take what they have never seen."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from flight_delay.columns import FEATURES, TARGET
from flight_delay.pipeline import PIPELINE
from mlops_core.references import resolve
from mlops_core.training.rows import LabelledRows
from model_examples import loaded, read_back, rows_of

pytestmark = pytest.mark.slow

Fit = Callable[..., Any]
# The network has tests of its own.
_CANDIDATES = [one.name for one in PIPELINE.candidates if one.fit.startswith("flight_delay.models:")]


@pytest.fixture(scope="module")
def rows() -> LabelledRows:
    """Every ninth flight of May: about 3,000 rows."""
    return rows_of(PIPELINE, "2013-05", every=9)


@pytest.fixture(params=_CANDIDATES)
def fit(request: pytest.FixtureRequest) -> Fit:
    return resolve(PIPELINE.candidate(request.param).fit)


def test_the_features_are_the_declared_ones_and_no_others(rows: LabelledRows) -> None:
    assert tuple(rows.features.columns) == FEATURES
    assert TARGET not in rows.features.columns


def test_flights_that_were_not_fitted_are_ordered_better_than_by_chance(fit: Fit, rows: LabelledRows) -> None:
    half = len(rows.target) // 2

    model = loaded(PIPELINE, fit(rows.features[:half], rows.target[:half], seed=0), rows)

    later = model.predict(rows.features[half:]).scores
    assert roc_auc_score(rows.target[half:], later) > 0.6


def test_the_same_seed_gives_the_same_probabilities(fit: Fit, rows: LabelledRows) -> None:
    first, second = (loaded(PIPELINE, fit(rows.features, rows.target, seed=5), rows) for _ in range(2))

    np.testing.assert_array_equal(first.predict(rows.features).scores, second.predict(rows.features).scores)


def test_another_seed_gives_other_trees(rows: LabelledRows) -> None:
    fit = resolve(PIPELINE.candidate("gradient_boosting").fit)

    first, second = (loaded(PIPELINE, fit(rows.features, rows.target, seed=seed), rows) for seed in (1, 2))

    assert (first.predict(rows.features).scores != second.predict(rows.features).scores).any()


def test_unseen_categories_and_missing_values_are_answered(fit: Fit, rows: LabelledRows) -> None:
    model = loaded(PIPELINE, fit(rows.features, rows.target, seed=0), rows)
    strange = rows.features.head(2).assign(carrier="ZZ", dest="XXX", aircraft_manufacturer="NEW")
    empty = pd.DataFrame([dict.fromkeys(FEATURES)])

    scores = model.predict(pd.concat([strange, empty])).scores

    assert ((scores > 0) & (scores < 1)).all()


def test_a_feature_without_any_value_in_training_does_not_stop_the_fit(fit: Fit, rows: LabelledRows) -> None:
    features = rows.features.assign(aircraft_seats=np.nan)
    features["aircraft_type"] = pd.Series(None, index=features.index, dtype=features["carrier"].dtype)

    model = loaded(PIPELINE, fit(features, rows.target, seed=0), rows)

    assert np.isfinite(model.predict(rows.features).scores).all()


def test_a_flight_asked_alone_gets_the_answer_it_gets_among_others(fit: Fit, rows: LabelledRows) -> None:
    model = loaded(PIPELINE, fit(rows.features, rows.target, seed=0), rows)
    together = model.predict(rows.features.head(20)).scores

    alone = [model.predict(rows.features.iloc[[place]]).scores[0] for place in range(20)]

    np.testing.assert_allclose(alone, together, rtol=1e-12)


def test_it_is_stored_without_trusting_types_of_its_own(fit: Fit, rows: LabelledRows, tmp_path: Any) -> None:
    estimator = fit(rows.features, rows.target, seed=0)

    model = read_back(PIPELINE, estimator, rows, folder=tmp_path)

    np.testing.assert_array_equal(
        model.predict(rows.features).scores, estimator.predict_proba(rows.features)[:, 1]
    )


@pytest.mark.parametrize("parameters", [{"iterations": 3, "leaves": 5, "learning_rate": 0.5, "l2": 0.0}])
def test_parameters_reach_the_trees(rows: LabelledRows, parameters: dict[str, Any]) -> None:
    fit = resolve(PIPELINE.candidate("gradient_boosting").fit)

    trees = fit(rows.features, rows.target, seed=0, **parameters)[-1]

    assert trees.n_iter_ == 3
    assert trees.max_leaf_nodes == 5
    assert trees.learning_rate == 0.5
