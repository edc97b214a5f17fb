from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from examination_examples import by_column, examination, pipeline, planted, publish
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import CorruptedDataError, EvaluationError
from mlops_core.evaluation.parts import leakage
from mlops_core.evaluation.parts.leakage import measure
from mlops_core.evaluation.sections import LeakageSection
from mlops_core.pipeline import EvaluationPolicy, LeakagePolicy

FEATURES = {"signal": "double", "colour": "string", "member": "boolean"}


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(str(tmp_path))


def rows(count: int, *, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    signal = random.normal(size=count)
    return {
        "id": [f"{seed}-{number}" for number in range(count)],
        "signal": pa.array(signal),
        "colour": pa.array(random.choice(["red", "green"], count), mask=random.random(count) < 0.1),
        "member": pa.array(random.random(count) < 0.5, mask=random.random(count) < 0.1),
        "late": pa.array(signal + random.normal(size=count) > 0, mask=random.random(count) < 0.1),
    }


def joined(*parts: dict[str, Any]) -> dict[str, Any]:
    return {name: pa.concat_arrays([pa.array(part[name]) for part in parts]) for name in parts[0]}


def first(part: dict[str, Any], count: int, **changes: Any) -> dict[str, Any]:
    return {**{name: pa.array(values)[:count] for name, values in part.items()}, **changes}


def measured(store: SnapshotStore, *, key: str | None = None, sample: int = 20_000) -> LeakageSection:
    declared = pipeline(
        EvaluationPolicy(leakage=LeakagePolicy(rows=sample)), key=key, features=tuple(FEATURES)
    )
    document = measure(examination(declared, planted(by_column("signal"), features=FEATURES), store=store))
    assert isinstance(document.document, LeakageSection)
    return document.document


def known(part: dict[str, Any], count: int) -> int:
    return count - pa.array(part["late"])[:count].null_count


def test_rows_of_their_own_do_not_overlap_and_no_feature_is_too_strong(store: SnapshotStore) -> None:
    parts = [rows(300, seed=seed) for seed in range(3)]
    publish(store, dict(zip(("2013-01", "2013-02", "2013-03"), parts, strict=True)))

    section = measured(store)

    assert section.rows == known(parts[0], 300) + known(parts[1], 300)
    assert section.holdout_rows == known(parts[2], 300)
    assert (section.overlapping_rows, section.overlap) == (0, 0.0)
    assert section.powers[0].feature == "signal"
    assert 0.3 < section.powers[0].power < 0.7
    assert [one.power for one in section.powers] == sorted(
        (one.power for one in section.powers), reverse=True
    )


def test_copies_of_training_rows_of_any_partition_are_counted(store: SnapshotStore) -> None:
    one, two, three = (rows(300, seed=seed) for seed in range(3))
    copies = [first(one, 40), first(two, 20)]
    publish(store, {"2013-01": one, "2013-02": two, "2013-03": joined(three, *copies)})

    section = measured(store)

    expected = known(one, 40) + known(two, 20)
    assert section.overlapping_rows == expected
    assert section.overlap == pytest.approx(expected / section.holdout_rows)


def test_a_copy_with_another_target_is_no_overlap(store: SnapshotStore) -> None:
    one, two = rows(300, seed=0), rows(300, seed=1)
    other = first(one, 40, late=[not value.as_py() for value in pa.array(one["late"])[:40]])
    publish(store, {"2013-01": one, "2013-02": joined(two, other)})

    assert measured(store).overlapping_rows == 0


def test_with_a_key_only_the_same_key_is_the_same_row(store: SnapshotStore) -> None:
    one, two = rows(300, seed=0), rows(300, seed=1)
    renamed = first(one, 40, id=[f"new-{number}" for number in range(40)])
    publish(store, {"2013-01": one, "2013-02": joined(two, renamed, first(one, 30))})

    assert measured(store, key="id").overlapping_rows == known(one, 30)
    assert measured(store).overlapping_rows == known(one, 40) + known(one, 30)


def test_gaps_in_one_partition_do_not_hide_a_copy(store: SnapshotStore) -> None:
    one, two = rows(300, seed=0), rows(300, seed=1)
    whole = {
        **{name: pa.array(two[name]) for name in ("id", "signal", "colour")},
        "member": pa.array([True] * 300),
        "late": pa.array([True] * 300),
    }
    publish(store, {"2013-01": joined(one, first(whole, 50)), "2013-02": whole})

    assert measured(store).overlapping_rows == 50


def test_a_feature_that_knows_the_answer_is_found(store: SnapshotStore) -> None:
    parts = [rows(400, seed=seed) for seed in range(2)]
    for part in parts:
        # An unknown target cannot leak, and reads as no.
        part["colour"] = ["late" if value.as_py() else "on time" for value in part["late"]]
    publish(store, dict(zip(("2013-01", "2013-02"), parts, strict=True)))

    section = measured(store)

    assert (section.powers[0].feature, section.powers[0].power) == ("colour", 1.0)


def test_single_features_are_tried_on_a_seeded_sample_of_all_training_rows(store: SnapshotStore) -> None:
    parts = {f"2013-0{month}": rows(300, seed=month) for month in range(1, 5)}
    publish(store, parts)

    section, again = measured(store, sample=400), measured(store, sample=400)

    assert section == again
    assert 330 < section.rows < 390


def test_sampled_rows_are_chosen_among_all_partitions_alike(
    store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = np.arange(1000.0)
    numbered = {"signal": place, "colour": ["red"] * 1000, "member": [True] * 1000, "late": place % 2 == 0}
    bounds = {"2013-01": (0, 100), "2013-02": (100, 700), "2013-03": (700, 1000)}
    for month, (start, end) in bounds.items():
        publish(store, {month: {name: values[start:end] for name, values in numbered.items()}})
    tried: dict[str, Any] = {}

    def powers(features: pd.DataFrame, target: pd.Series, **_: Any) -> dict[str, float]:
        tried.update(places=features["signal"].tolist(), targets=target.tolist())
        return {}

    monkeypatch.setattr(leakage, "feature_powers", powers)

    measured(store, sample=200)

    expected = sorted(np.random.default_rng(0).choice(700, size=200, replace=False).tolist())
    assert tried["places"] == expected
    assert tried["targets"] == [number % 2 == 0 for number in expected]


def test_a_damaged_partition_is_an_error(store: SnapshotStore) -> None:
    publish(store, {"2013-01": rows(300, seed=0), "2013-02": rows(300, seed=1)})
    declared = pipeline(EvaluationPolicy(leakage=LeakagePolicy()), features=tuple(FEATURES))
    examined = examination(declared, planted(by_column("signal"), features=FEATURES), store=store)
    for file in Path(store.table_uri("flights")).rglob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-1] + b"?")

    with pytest.raises(CorruptedDataError, match="has digest"):
        measure(examined)


def test_training_rows_of_one_class_are_an_error(store: SnapshotStore) -> None:
    publish(store, {"2013-01": {**rows(300, seed=0), "late": [True] * 300}, "2013-02": rows(300, seed=1)})

    with pytest.raises(EvaluationError, match="fewer than two classes"):
        measured(store)
