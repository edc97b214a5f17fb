from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_core.errors import DeclarationError
from mlops_core.evaluation.perturbing import perturbed_frames
from mlops_core.models.frames import conform
from mlops_core.policies import Perturbation

TYPES = {"amount": "double", "colour": "string", "member": "boolean", "at": "datetime"}
ROWS = 2000


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    random = np.random.default_rng(99)
    gap = random.random(ROWS) < 0.1
    raw = pd.DataFrame(
        {
            "amount": np.where(gap, np.nan, 50 + 4 * random.normal(size=ROWS)),
            "colour": pd.Series(random.choice(["red", "green"], ROWS)).mask(np.roll(gap, 1)),
            "member": pd.Series(random.random(ROWS) < 0.5, dtype=object).mask(np.roll(gap, 2)),
            "at": pd.Series(pd.date_range("2013-01-01", periods=ROWS, freq="h")).mask(np.roll(gap, 3)),
        }
    )
    return conform(raw, TYPES)


def changed(frame: pd.DataFrame, seed: int = 0, **fields: Any) -> tuple[str, pd.DataFrame]:
    [one] = perturbed_frames(Perturbation(**fields), frame, types=TYPES, seed=seed)
    return one


def test_noise_moves_numbers_by_its_share_of_their_deviation_and_nothing_else(frame: pd.DataFrame) -> None:
    name, noisy = changed(frame, kind="noise", amount=0.5)

    moved = (noisy["amount"] - frame["amount"]).dropna()
    assert name == "noise of 0.5 standard deviations"
    assert moved.std() == pytest.approx(0.5 * frame["amount"].std(), rel=0.05)
    assert abs(moved.mean()) < 0.15
    pd.testing.assert_frame_equal(noisy.drop(columns="amount"), frame.drop(columns="amount"))


def test_a_shift_moves_every_number_by_as_much(frame: pd.DataFrame) -> None:
    name, moved = changed(frame, kind="shift", amount=0.5)

    by = (moved["amount"] - frame["amount"]).dropna().to_numpy()
    assert name == "shift by 0.5 standard deviations"
    np.testing.assert_allclose(by, 0.5 * np.nanstd(frame["amount"]))


def test_an_infinite_value_does_not_hide_the_deviation_of_the_others() -> None:
    values = pd.DataFrame({"amount": [0.0, 2.0, np.inf]})

    [(_, moved)] = perturbed_frames(
        Perturbation(kind="shift", amount=1), values, types={"amount": "double"}, seed=0
    )

    assert moved["amount"].tolist() == [1.0, 3.0, np.inf]


def test_a_share_of_the_values_of_every_type_goes_missing(frame: pd.DataFrame) -> None:
    name, gaps = changed(frame, kind="missing", amount=0.3)

    assert name == "0.3 of the values missing"
    assert (gaps.dtypes == frame.dtypes).all()
    for column in TYPES:
        lost = gaps[column].isna() & frame[column].notna()
        assert lost.sum() / frame[column].notna().sum() == pytest.approx(0.3, abs=0.05)
        kept = gaps[column].notna()
        pd.testing.assert_series_equal(gaps.loc[kept, column], frame.loc[kept, column])


def test_each_column_is_emptied_alone(frame: pd.DataFrame) -> None:
    frames = dict(perturbed_frames(Perturbation(kind="absent"), frame, types=TYPES, seed=0))

    assert list(frames) == ["amount absent", "colour absent", "member absent", "at absent"]
    for column in TYPES:
        emptied = frames[f"{column} absent"]
        assert emptied[column].isna().all()
        pd.testing.assert_frame_equal(emptied.drop(columns=column), frame.drop(columns=column))
        assert (emptied.dtypes == frame.dtypes).all()


def test_a_share_of_the_texts_becomes_one_never_seen(frame: pd.DataFrame) -> None:
    name, odd = changed(frame, kind="unseen", amount=0.3)

    replaced = odd["colour"] == "never seen"
    assert name == "0.3 of the texts never seen"
    assert replaced.sum() / frame["colour"].notna().sum() == pytest.approx(0.3, abs=0.05)
    assert odd["colour"].isna().equals(frame["colour"].isna())
    pd.testing.assert_frame_equal(odd.drop(columns="colour"), frame.drop(columns="colour"))


def test_a_text_that_is_there_is_not_taken_for_one_never_seen() -> None:
    words = conform(pd.DataFrame({"colour": ["never seen", "never seen again", "red"]}), {"colour": "string"})

    [(_, odd)] = perturbed_frames(
        Perturbation(kind="unseen", amount=1), words, types={"colour": "string"}, seed=0
    )

    assert odd["colour"].unique().tolist() == ["never seen again again"]


def test_the_same_seed_changes_the_same_values_and_the_rows_stay_as_they_were(frame: pd.DataFrame) -> None:
    before = frame.copy()

    one, same, other = (changed(frame, seed, kind="missing")[1] for seed in (1, 1, 2))

    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)
    pd.testing.assert_frame_equal(frame, before)


def test_named_columns_alone_are_changed_and_named(frame: pd.DataFrame) -> None:
    name, gaps = changed(frame, kind="missing", amount=0.5, columns=("at", "colour"))

    assert name == "0.5 of the values missing in at, colour"
    pd.testing.assert_frame_equal(gaps[["amount", "member"]], frame[["amount", "member"]])
    assert gaps["at"].isna().sum() > frame["at"].isna().sum()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"kind": "absent", "columns": ("speed",)}, "speed is no feature; the features are amount, colour"),
        ({"kind": "noise", "columns": ("amount", "colour")}, r"type double alone: colour \(string\)"),
        ({"kind": "shift", "columns": ("member",)}, r"type double alone: member \(boolean\)"),
        ({"kind": "noise", "columns": ("at",)}, r"type double alone: at \(datetime\)"),
        ({"kind": "unseen", "columns": ("amount",)}, r"type string alone: amount \(double\)"),
    ],
)
def test_a_column_that_cannot_be_changed_is_an_error(
    frame: pd.DataFrame, fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(DeclarationError, match=reason):
        changed(frame, **fields)


def test_a_perturbation_that_changes_no_column_is_an_error() -> None:
    words = pd.DataFrame({"colour": ["red"]})

    with pytest.raises(DeclarationError, match="every feature is of another type"):
        list(perturbed_frames(Perturbation(kind="noise"), words, types={"colour": "string"}, seed=0))


@pytest.mark.parametrize("kind", ["missing", "unseen"])
def test_a_share_above_one_is_refused_where_it_is_declared(kind: str) -> None:
    with pytest.raises(DeclarationError, match="amount is a share for"):
        Perturbation(kind=kind, amount=1.5)
