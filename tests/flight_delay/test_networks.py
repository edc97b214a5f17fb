"""The network learns something, answers the same for a seed, and takes what it has never seen."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from flight_delay.columns import FEATURES
from flight_delay.networks import EntityEmbeddings, fit_entity_embeddings
from flight_delay.pipeline import PIPELINE
from mlops_core.training.rows import LabelledRows
from mlops_core.training.seeds import seeded
from model_examples import loaded, read_back, rows_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rows() -> LabelledRows:
    """Every ninth flight of May: about 3,000 rows."""
    return rows_of(PIPELINE, "2013-05", every=9)


@pytest.fixture(scope="module")
def network(rows: LabelledRows) -> EntityEmbeddings:
    half = len(rows.target) // 2
    return fit(rows.features[:half], rows.target[:half])


def fit(features: pd.DataFrame, target: pd.Series, **parameters: Any) -> EntityEmbeddings:
    with seeded(0):
        return fit_entity_embeddings(features, target, seed=0, **{"batch_rows": 64, **parameters})


def test_flights_that_were_not_fitted_are_ordered_better_than_by_chance(
    network: EntityEmbeddings, rows: LabelledRows
) -> None:
    half = len(rows.target) // 2

    later = loaded(PIPELINE, network, rows).predict(rows.features[half:]).scores

    assert roc_auc_score(rows.target[half:], later) > 0.6


def test_the_same_seed_gives_the_same_probabilities(rows: LabelledRows) -> None:
    first, second = (loaded(PIPELINE, fit(rows.features, rows.target, epochs=1), rows) for _ in range(2))

    np.testing.assert_array_equal(first.predict(rows.features).scores, second.predict(rows.features).scores)


def test_unseen_categories_and_missing_values_are_answered(
    network: EntityEmbeddings, rows: LabelledRows
) -> None:
    strange = rows.features.head(2).assign(carrier="ZZ", dest="XXX", aircraft_manufacturer="NEW", temp=500.0)
    empty = pd.DataFrame([dict.fromkeys(FEATURES)])

    scores = loaded(PIPELINE, network, rows).predict(pd.concat([strange, empty])).scores

    assert ((scores > 0) & (scores < 1)).all()


def test_a_carrier_that_is_new_counts_as_one_that_is_missing(
    network: EntityEmbeddings, rows: LabelledRows
) -> None:
    new, missing = (rows.features.head(9).assign(carrier=value) for value in ("ZZ", None))
    model = loaded(PIPELINE, network, rows)

    np.testing.assert_array_equal(model.predict(new).scores, model.predict(missing).scores)


def test_a_feature_without_any_value_in_training_does_not_stop_the_fit(rows: LabelledRows) -> None:
    features = rows.features.assign(aircraft_seats=np.nan)
    features["aircraft_type"] = pd.Series(None, index=features.index, dtype=features["carrier"].dtype)

    model = loaded(PIPELINE, fit(features, rows.target, epochs=1), rows)

    assert np.isfinite(model.predict(rows.features).scores).all()


def test_a_flight_asked_alone_gets_the_answer_it_gets_among_others(
    network: EntityEmbeddings, rows: LabelledRows
) -> None:
    model = loaded(PIPELINE, network, rows)
    together = model.predict(rows.features.head(20)).scores

    alone = [model.predict(rows.features.iloc[[place]]).scores[0] for place in range(20)]

    # Sums of 32 bits, in another order for one row than for many.
    np.testing.assert_allclose(alone, together, rtol=1e-5)


def test_it_is_stored_without_trusting_types_of_its_own(
    network: EntityEmbeddings, rows: LabelledRows, tmp_path: Path
) -> None:
    model = read_back(PIPELINE, network, rows, folder=tmp_path)

    np.testing.assert_array_equal(
        model.predict(rows.features).scores, loaded(PIPELINE, network, rows).predict(rows.features).scores
    )
