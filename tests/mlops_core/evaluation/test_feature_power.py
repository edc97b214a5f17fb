import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from evaluation_examples import BINARY, MULTICLASS, REGRESSION
from mlops_core.errors import EvaluationError
from mlops_core.evaluation.feature_power import feature_powers
from mlops_core.gates import LeakageGate
from mlops_core.models.frames import conform

ROWS = 3000


def powers(target: pd.Series, task: str = BINARY, seed: int = 0, **columns: object) -> dict[str, float]:
    kinds = {
        name: "string" if pd.Series(values).dtype == "str" else "double" for name, values in columns.items()
    }
    kinds.update({name: "datetime" for name in columns if name.startswith("at")})
    return feature_powers(conform(pd.DataFrame(columns), kinds), target, task=task, seed=seed)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(5)


def test_a_feature_that_knows_the_answer_has_power_one_and_noise_almost_none(
    random: np.random.Generator,
) -> None:
    late = pd.Series(random.random(ROWS) < 0.2)

    found = powers(
        late,
        answer=late.astype(float),
        word=np.where(late, "cancelled", "landed"),
        noise=random.normal(size=ROWS),
        letters=random.choice(list("abcdef"), ROWS),
        constant=np.ones(ROWS),
        nothing=np.full(ROWS, np.nan),
    )

    assert found["answer"] == found["word"] == 1.0
    assert max(found["noise"], found["letters"]) < 0.1
    assert found["constant"] == found["nothing"] == 0.0


def test_the_power_of_a_graded_feature_is_its_rescaled_area(random: np.random.Generator) -> None:
    signal = random.normal(size=ROWS)
    late = pd.Series(signal + random.normal(size=ROWS) > 0)

    found = powers(late, signal=signal, backwards=-signal)

    best = 2 * roc_auc_score(late, signal) - 1
    assert found["signal"] == pytest.approx(best, abs=0.05)
    assert found["backwards"] == pytest.approx(best, abs=0.05)


def test_a_u_shaped_feature_is_seen_though_it_ranks_nothing(random: np.random.Generator) -> None:
    signal = random.normal(size=ROWS)
    late = pd.Series(np.abs(signal) > 1)

    assert powers(late, signal=signal)["signal"] > 0.95


def test_a_gap_that_gives_the_answer_away_is_seen(random: np.random.Generator) -> None:
    late = pd.Series(random.random(ROWS) < 0.3)

    found = powers(
        late,
        arrival_minutes=np.where(late, np.nan, random.normal(size=ROWS)),
        word=pd.Series(np.where(late, None, random.choice(list("ab"), ROWS)), dtype="str"),
    )

    assert found["arrival_minutes"] == found["word"] == 1.0


def test_times_and_infinite_numbers_are_tried_by_their_order(random: np.random.Generator) -> None:
    late = np.arange(ROWS) % 2 == 0
    start = pd.Timestamp("2013-01-01")
    seconds = np.where(late, 0, 1) + 2 * (np.arange(ROWS) // 2)

    found = powers(
        pd.Series(np.arange(ROWS) >= ROWS // 2),
        at=start + pd.to_timedelta(seconds, unit="s"),
        infinite=np.where(np.arange(ROWS) >= ROWS // 2, np.inf, random.normal(size=ROWS)),
    )

    assert found["at"] > 0.99
    assert found["infinite"] > 0.99


def test_a_name_of_every_row_explains_nothing(random: np.random.Generator) -> None:
    late = pd.Series(random.random(ROWS) < 0.5)

    found = powers(late, id=[f"row-{number}" for number in range(ROWS)])

    assert found["id"] == 0.0


def test_a_regressions_power_is_the_variance_that_is_explained(random: np.random.Generator) -> None:
    signal = random.normal(size=ROWS)
    value = pd.Series(signal + random.normal(size=ROWS))
    group = random.choice(list("abc"), ROWS)
    level = pd.Series(group).map({"a": 0.0, "b": 5.0, "c": 9.0})

    found = powers(value, REGRESSION, signal=signal, noise=random.normal(size=ROWS))
    by_group = powers(level + random.normal(size=ROWS), REGRESSION, group=group)

    assert found["signal"] == pytest.approx(r2_score(value, signal), abs=0.05)
    assert found["noise"] == 0.0
    assert by_group["group"] == pytest.approx(level.var() / (level.var() + 1), abs=0.02)


def test_a_copy_of_a_target_with_a_heavy_tail_is_seen(random: np.random.Generator) -> None:
    fare = pd.Series(random.lognormal(sigma=2, size=20_000))

    found = powers(fare, REGRESSION, copy=fare * 3, text=fare.map("{:.9f}".format))

    assert found["copy"] > LeakageGate().maximum_power
    assert found["text"] > LeakageGate().maximum_power


def test_a_text_is_tried_as_the_number_that_most_of_its_rows_are(random: np.random.Generator) -> None:
    late = pd.Series(random.random(ROWS) < 0.3)
    minutes = pd.Series(np.where(late, 15.0, 0.0) + 15 * random.random(ROWS)).map("{:.6f}".format)

    assert powers(late, minutes=minutes.where(random.random(ROWS) > 0.01, "n/a"))["minutes"] > 0.95


def test_a_multiclass_power_is_the_mean_over_classes(random: np.random.Generator) -> None:
    size = pd.Series(random.choice(["large", "middle", "small"], ROWS))

    found = powers(
        size,
        MULTICLASS,
        answer=size.map({"large": 3.0, "middle": 2.0, "small": 1.0}),
        one_class=(size == "large").astype(float),
        word=size,
    )

    # It knows one class, and of the two others only that they are not that one.
    assert found["one_class"] == pytest.approx((1 + 0.5 + 0.5) / 3, abs=0.03)
    assert found["answer"] == found["word"] == 1.0


def test_the_same_seed_gives_the_same_powers(random: np.random.Generator) -> None:
    late, signal = pd.Series(random.random(ROWS) < 0.5), random.normal(size=ROWS)

    one, same, other = (powers(late, seed=seed, signal=signal) for seed in (1, 1, 2))

    assert one == same != other


def test_a_rare_class_is_in_every_fold() -> None:
    late = pd.Series(np.arange(ROWS) % 1000 == 0)

    assert powers(late, answer=late.astype(float))["answer"] == pytest.approx(1.0)


def test_a_class_of_too_few_rows_is_an_error() -> None:
    late = pd.Series(np.arange(ROWS) < 2)

    with pytest.raises(EvaluationError, match="fewer than two classes have 3 of the 3000 sampled"):
        powers(late, x=np.arange(ROWS))


def test_a_target_that_does_not_vary_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="the target of all 3000 sampled training rows is 7"):
        powers(pd.Series(np.full(ROWS, 7.0)), REGRESSION, x=np.arange(ROWS))
