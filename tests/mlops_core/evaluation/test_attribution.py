import datetime as dt
from functools import cache
from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import pytest

from evaluation_examples import BINARY, MULTICLASS, REGRESSION
from examination_examples import planted
from mlops_core.evaluation.attribution import Attribution, affordable, attribute
from mlops_core.models.frames import feature_types
from mlops_core.models.loaded import LoadedModel, Predictions

FRAME = pd.DataFrame(
    {
        "carrier": ["AA", "UA", None, "HA", "AA", "UA", "B6", "AA"],
        "delayed": [True, False, None, True, True, False, False, True],
        "hour": [1.0, 5.5, np.nan, 12.0, 23.0, 7.0, 7.0, 0.0],
        "at": [dt.datetime(2013, 1, day) for day in range(1, 8)] + [None],
    }
)
ROWS, BACKGROUND = FRAME.iloc[:3], FRAME.iloc[3:]


def parts(frame: pd.DataFrame) -> list[np.ndarray]:
    return [
        (frame["carrier"] == "AA").to_numpy(float) + 2 * frame["carrier"].isna().to_numpy(),
        frame["delayed"].fillna(0.5).to_numpy(float),
        frame["hour"].fillna(-3.0).to_numpy(float),
        frame["at"].dt.day.fillna(40).to_numpy(float),
    ]


def in_pairs(frame: pd.DataFrame) -> Predictions:
    """A model whose features act alone and in pairs, which one order and its reverse explain exactly."""
    carrier, delayed, hour, day = parts(frame)
    scores = carrier * hour + 3 * delayed + delayed * day - hour
    return Predictions(scores=scores, labels=scores)


def all_at_once(frame: pd.DataFrame) -> Predictions:
    carrier, delayed, hour, day = parts(frame)
    scores = (1 + carrier) * (1 + delayed) * hour * day
    return Predictions(scores=scores, labels=scores)


def shapley(model: LoadedModel, rows: pd.DataFrame, background: pd.DataFrame) -> np.ndarray:
    """Equation 8 of Lundberg and Lee (2017), subset by subset."""
    names, count = list(model.features), len(model.features)

    @cache
    def mean(place: int, known: frozenset[str]) -> float:
        mixed = background.copy()
        for name in known:
            value = pd.Series([rows[name].iloc[place]] * len(mixed), index=mixed.index)
            mixed[name] = value.astype(background[name].dtype)
        return float(model.predict(mixed).scores.mean())

    values = np.zeros((len(rows), count))
    for place in range(len(rows)):
        for number, name in enumerate(names):
            others = [other for other in names if other != name]
            for size in range(count):
                weight = factorial(size) * factorial(count - size - 1) / factorial(count)
                for known in map(frozenset, combinations(others, size)):
                    values[place, number] += weight * (mean(place, known | {name}) - mean(place, known))
    return values


def attributed(model: LoadedModel, *, orders: int = 1, seed: int = 0) -> Attribution:
    return attribute(model, ROWS, background=BACKGROUND, orders=orders, seed=seed)


def test_text_gaps_booleans_and_times_are_explained_exactly_where_features_act_in_pairs() -> None:
    model = planted(in_pairs, features=feature_types(FRAME), task=REGRESSION)

    found = attributed(model)

    assert found.features == ("carrier", "delayed", "hour", "at")
    assert found.values[:, :, 0] == pytest.approx(shapley(model, ROWS, BACKGROUND))
    assert found.method == "permutation SHAP, one random order a row and its reverse over 5 background rows"


def test_base_and_contributions_add_up_to_the_score_of_any_model() -> None:
    model = planted(all_at_once, features=feature_types(FRAME), task=REGRESSION)

    found = attributed(model)

    assert found.base[0] == model.predict(BACKGROUND).scores.mean()
    assert found.scores[:, 0] == pytest.approx(model.predict(ROWS).scores)
    assert found.values.sum(axis=1) + found.base == pytest.approx(found.scores)


def test_more_orders_come_closer() -> None:
    model = planted(all_at_once, features=feature_types(FRAME), task=REGRESSION)
    exact = shapley(model, ROWS, BACKGROUND)

    one, many = (attributed(model, orders=orders).values[:, :, 0] for orders in (1, 60))

    assert np.abs(many - exact).mean() < np.abs(one - exact).mean() / 3


def test_every_class_of_several_has_its_values() -> None:
    def answer(frame: pd.DataFrame) -> Predictions:
        carrier, delayed, _, _ = parts(frame)
        scores = np.stack(
            [0.1 + 0.1 * carrier, 0.5 - 0.2 * delayed, 0.4 - 0.1 * carrier + 0.2 * delayed], axis=1
        )
        return Predictions(scores=scores, labels=scores.argmax(axis=1))

    model = planted(answer, features=feature_types(FRAME), task=MULTICLASS, classes=(0, 1, 2))

    found = attributed(model)

    assert found.values.shape == (3, 4, 3)
    assert found.values.sum(axis=1) + found.base == pytest.approx(found.scores)
    assert found.values[:, 0, 1] == pytest.approx(0)
    assert found.values[0, 0, 0] == pytest.approx(0.1 * (1 - 2 / 5))


def test_a_single_feature_takes_the_whole_difference() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, 5.0]})

    def answer(rows: pd.DataFrame) -> Predictions:
        return Predictions(scores=rows["x"].to_numpy() / 10, labels=np.zeros(len(rows)))

    model = planted(answer, features={"x": "double"}, task=BINARY)
    found = attribute(model, frame.iloc[:1], background=frame.iloc[1:], orders=1, seed=0)

    assert found.values[:, :, 0] == pytest.approx(np.array([[0.1 - 1 / 3]]))


def test_the_same_seed_draws_the_same_orders() -> None:
    model = planted(all_at_once, features=feature_types(FRAME), task=REGRESSION)

    one, other, another = (attributed(model, seed=seed).values for seed in (0, 0, 1))

    assert np.array_equal(one, other)
    assert not np.array_equal(one, another)


def test_the_rows_that_are_given_stay_as_they_are() -> None:
    before = ROWS.copy()

    attributed(planted(in_pairs, features=feature_types(FRAME), task=REGRESSION))

    pd.testing.assert_frame_equal(ROWS, before)


@pytest.mark.parametrize(
    ("features", "rows", "expected"),
    [
        (5, 100, (100, 50, 5)),
        (24, 100, (100, 50, 1)),
        (64, 100, (100, 19, 1)),
        (784, 100, (15, 10, 1)),
        (100_000, 100, (10, 10, 1)),
        (1, 10, (10, 50, 5)),
        (784, 5, (5, 31, 1)),
    ],
)
def test_many_features_leave_fewer_background_rows_and_then_fewer_rows(
    features: int, rows: int, expected: tuple[int, int, int]
) -> None:
    effort = affordable(features=features, rows=rows, background_rows=50)

    assert (effort.rows, effort.background_rows, effort.orders) == expected
