import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_core.monitoring.binning import ReferenceColumn
from mlops_core.monitoring.calibration import Calibration
from mlops_core.monitoring.drift import compare_columns, summarize_features, summarize_scores
from mlops_core.monitoring.report import DriftSummary, FeatureDrift, FindingKind, Verdict
from mlops_core.pipeline import MonitorPolicy

POLICY = MonitorPolicy()
RANDOM = np.random.default_rng(0)
NORMAL = RANDOM.normal(size=4000)
CARRIERS = RANDOM.choice(["AA", "B6", "UA"], size=4000)


def compare(
    reference: Any, window: Any | None, *, columns: int = 15, policy: MonitorPolicy = POLICY
) -> FeatureDrift:
    """Compare one column; ``None`` as window is a table without it."""
    bins = ReferenceColumn.of("x", pa.chunked_array([pa.array(reference)]))
    table = pa.table({} if window is None else {"x": pa.array(window)})
    calibration = Calibration.of(columns=columns, false_alarm_rate=policy.false_alarm_rate, seed=0)
    (compared,) = compare_columns([bins], table, policy=policy, calibration=calibration)
    return compared


def kinds(compared: FeatureDrift) -> set[FindingKind]:
    return {finding.kind for finding in compared.findings}


def summarize(
    references: Mapping[str, Any], window: Mapping[str, Any], *, policy: MonitorPolicy = POLICY
) -> DriftSummary:
    bins = [
        ReferenceColumn.of(name, pa.chunked_array([pa.array(values)])) for name, values in references.items()
    ]
    table = pa.table(dict(window))
    calibration = Calibration.of(columns=len(bins), false_alarm_rate=policy.false_alarm_rate, seed=0)
    columns = compare_columns(bins, table, policy=policy, calibration=calibration)
    return summarize_features(columns, rows=table.num_rows, reference_rows=bins[0].rows, policy=policy)


def normals(rows: int, *, seed: int = 1, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(loc=shift, size=rows)


def test_the_same_distribution_is_no_drift() -> None:
    compared = compare(NORMAL, normals(500))
    assert compared.verdict is Verdict.NO_DRIFT
    assert compared.findings == ()


def test_a_shift_of_half_a_standard_deviation_is_drift_in_200_rows() -> None:
    compared = compare(NORMAL, normals(200, shift=0.5))
    assert compared.verdict is Verdict.DRIFT
    assert kinds(compared) == {FindingKind.DISTRIBUTION}
    assert compared.adjusted_p_value is not None
    assert compared.adjusted_p_value <= POLICY.false_alarm_rate


def test_another_shape_around_the_same_middle_is_drift() -> None:
    two_humps = normals(400) * 0.2 + np.where(normals(400, seed=2) > 0, 1, -1)
    assert compare(NORMAL, two_humps).verdict is Verdict.DRIFT


def test_a_large_window_does_not_alarm_on_a_difference_without_an_effect() -> None:
    compared = compare(NORMAL, normals(100_000, shift=0.1))
    assert any(measure.exceeds for measure in compared.measures)
    assert compared.distance is not None
    assert compared.distance < POLICY.minimum_effect
    assert compared.verdict is Verdict.NO_DRIFT


def test_the_least_effect_is_the_policys() -> None:
    policy = MonitorPolicy(minimum_effect=0.01)
    assert compare(NORMAL, normals(100_000, shift=0.1), policy=policy).verdict is Verdict.DRIFT


def test_more_columns_need_more_evidence() -> None:
    few, many = (compare(NORMAL, normals(200), columns=columns).measures[0] for columns in (1, 200))
    assert many.threshold > few.threshold


def test_too_few_rows_are_insufficient_data_even_where_they_differ() -> None:
    compared = compare(NORMAL, normals(99, shift=5))
    assert compared.verdict is Verdict.INSUFFICIENT_DATA
    assert compared.measures == ()


def test_a_reference_of_too_few_rows_is_insufficient_data() -> None:
    assert compare(normals(50), normals(500)).verdict is Verdict.INSUFFICIENT_DATA


def test_a_missing_column_is_drift_whatever_the_rows() -> None:
    compared = compare(NORMAL, None)
    assert compared.verdict is Verdict.DRIFT
    assert kinds(compared) == {FindingKind.MISSING_COLUMN}


@pytest.mark.parametrize("window", [["1.0", "2.0"], [True, False], [b"x", b"y"], [[1.0], [2.0]]], ids=repr)
def test_a_retyped_column_is_drift_whatever_the_rows(window: list[Any]) -> None:
    compared = compare(NORMAL, window)
    assert compared.verdict is Verdict.DRIFT
    assert kinds(compared) == {FindingKind.RETYPED_COLUMN}
    assert "double" in compared.findings[0].message


def test_integers_for_floats_are_the_same_kind() -> None:
    compared = compare(NORMAL, np.zeros(500, dtype=np.int32))
    assert FindingKind.RETYPED_COLUMN not in kinds(compared)


@pytest.mark.parametrize("type_", [pa.null(), pa.float64(), pa.string()])
def test_an_all_null_feature_is_drift_and_says_so(type_: pa.DataType) -> None:
    compared = compare(NORMAL, pa.nulls(500, type_))
    assert compared.verdict is Verdict.DRIFT
    assert FindingKind.ALL_NULL in kinds(compared)
    assert FindingKind.RETYPED_COLUMN not in kinds(compared)
    assert compared.missing_share == 1


@pytest.mark.parametrize("rows", [0, 50])
def test_an_all_null_feature_of_few_rows_is_never_no_drift(rows: int) -> None:
    assert compare(NORMAL, pa.nulls(rows, pa.float64())).verdict is Verdict.INSUFFICIENT_DATA


def test_a_feature_that_was_always_null_can_say_nothing() -> None:
    compared = compare(pa.nulls(4000, pa.float64()), pa.nulls(500, pa.float64()))
    assert compared.verdict is Verdict.INSUFFICIENT_DATA
    assert kinds(compared) == {FindingKind.ALL_NULL}


def test_values_where_the_reference_had_none_are_drift() -> None:
    assert compare(pa.nulls(4000, pa.null()), normals(500)).verdict is Verdict.DRIFT


def test_a_feature_that_became_constant_is_drift_and_says_so() -> None:
    compared = compare(NORMAL, np.full(500, 0.25))
    assert compared.verdict is Verdict.DRIFT
    assert FindingKind.CONSTANT in kinds(compared)
    assert "'0.25'" in compared.findings[0].message


def test_a_feature_that_was_always_constant_can_say_nothing() -> None:
    compared = compare(np.full(4000, 7), np.full(500, 7))
    assert compared.verdict is Verdict.INSUFFICIENT_DATA
    assert kinds(compared) == {FindingKind.CONSTANT}


def test_another_constant_is_drift() -> None:
    assert compare(np.full(4000, 7), np.full(500, 8)).verdict is Verdict.DRIFT


def test_a_new_category_is_drift_however_small_its_share() -> None:
    compared = compare(CARRIERS, np.append(CARRIERS[:485], ["ZZ"] * 15))
    assert compared.verdict is Verdict.DRIFT
    assert compared.distance is not None
    assert compared.distance < POLICY.minimum_effect
    (finding,) = [one for one in compared.findings if one.kind is FindingKind.NEW_CATEGORY]
    assert finding.message == "the reference lacks 'ZZ', in 15 of 500 rows, by chance up to 0"


def test_a_new_category_that_chance_explains_is_told_and_is_not_drift() -> None:
    rare = [f"N{number}" for number in range(1000)]
    compared = compare(rare + ["common"] * 1000, [*rare[:240], "new", *["common"] * 259])
    assert kinds(compared) == {FindingKind.NEW_CATEGORY}
    assert compared.verdict is Verdict.INSUFFICIENT_DATA


def test_a_column_of_unique_values_is_not_comparable() -> None:
    compared = compare([f"id-{number}" for number in range(1000)], [f"id-{number}" for number in range(500)])
    assert compared.verdict is Verdict.INSUFFICIENT_DATA
    assert kinds(compared) == {FindingKind.UNCOMPARABLE}


def test_more_missing_values_are_drift_with_their_shares() -> None:
    gaps = np.where(np.arange(500) % 4 == 0, np.nan, normals(500))
    compared = compare(NORMAL, gaps)
    assert compared.verdict is Verdict.DRIFT
    assert FindingKind.MISSING_VALUES in kinds(compared)
    assert (compared.missing_share, compared.reference_missing_share) == (0.25, 0)


def test_data_drift_needs_the_policys_share_of_features() -> None:
    references = {f"x{number}": normals(4000, seed=number) for number in range(4)}
    window = {name: normals(300, seed=10 + number) for number, name in enumerate(references)}
    one = summarize(references, {**window, "x0": normals(300, shift=2)})
    two = summarize(references, {**window, "x0": normals(300, shift=2), "x1": normals(300, shift=2)})
    assert (one.verdict, one.drifted) == (Verdict.NO_DRIFT, ("x0",))
    assert (two.verdict, two.drifted) == (Verdict.DRIFT, ("x0", "x1"))
    assert "2 of 4 features drifted (x0, x1)" in two.reason


def test_one_missing_column_makes_the_window_drift() -> None:
    references = {f"x{number}": normals(4000, seed=number) for number in range(10)}
    window = {name: normals(300, seed=20) for name in list(references)[1:]}
    drift = summarize(references, window)
    assert drift.verdict is Verdict.DRIFT
    assert drift.reason == "missing or retyped: x0"


def test_a_window_of_no_rows_is_insufficient_data_and_says_so() -> None:
    drift = summarize({"x": NORMAL}, {"x": pa.array([], type=pa.float64())})
    assert drift.verdict is Verdict.INSUFFICIENT_DATA
    assert [finding.kind for finding in drift.findings] == [FindingKind.ZERO_ROWS]


def test_a_window_of_few_rows_is_insufficient_data_and_names_the_bound() -> None:
    drift = summarize({"x": NORMAL}, {"x": normals(99)})
    assert drift.verdict is Verdict.INSUFFICIENT_DATA
    assert drift.reason == "the window holds 99 rows; 100 are needed"


def test_a_window_in_which_nothing_could_be_compared_is_insufficient_data() -> None:
    drift = summarize({"x": np.full(4000, 7)}, {"x": np.full(500, 7)})
    assert drift.verdict is Verdict.INSUFFICIENT_DATA


def test_a_window_that_lacks_its_scores_is_drift() -> None:
    drift = summarize_scores([compare(NORMAL, None)], rows=500, reference_rows=4000, policy=POLICY)
    assert drift.verdict is Verdict.DRIFT


@pytest.mark.parametrize(
    ("window", "verdict"),
    [
        (normals(500), Verdict.NO_DRIFT),
        (normals(500, shift=1), Verdict.DRIFT),
        (normals(50, shift=1), Verdict.INSUFFICIENT_DATA),
    ],
)
def test_scores_are_judged_as_features_are(window: np.ndarray, verdict: Verdict) -> None:
    scores = [compare(NORMAL, window)]
    assert summarize_scores(scores, rows=len(window), reference_rows=4000, policy=POLICY).verdict is verdict


def test_other_columns_of_the_window_are_ignored() -> None:
    drift = summarize({"x": NORMAL}, {"x": normals(500), "extra": normals(500)})
    assert [column.name for column in drift.columns] == ["x"]


def arrays(elements: st.SearchStrategy[Any], type_: pa.DataType) -> st.SearchStrategy[pa.Array]:
    values = st.lists(st.one_of(st.none(), elements), max_size=40)
    return values.map(lambda chosen: pa.array(chosen, type_))


anything = st.one_of(
    arrays(st.floats(), pa.float64()),
    arrays(st.text(max_size=3), pa.string()),
    arrays(st.booleans(), pa.bool_()),
    arrays(st.integers(-(2**62), 2**62), pa.int64()),
    arrays(st.lists(st.integers(0, 3), max_size=2), pa.list_(pa.int64())),
    st.integers(0, 40).map(pa.nulls),
)


@settings(max_examples=60, deadline=None)
@given(anything, anything)
def test_nothing_in_a_window_raises_and_all_answers_are_json(reference: pa.Array, window: pa.Array) -> None:
    policy = MonitorPolicy(minimum_rows=20, false_alarm_rate=0.2)
    compared = compare(reference, window, columns=1, policy=policy)
    json.dumps(compared.model_dump(mode="json"), allow_nan=False)
    if len(window) < policy.minimum_rows and not kinds(compared) & {FindingKind.RETYPED_COLUMN}:
        assert compared.verdict is Verdict.INSUFFICIENT_DATA


@settings(max_examples=20, deadline=None)
@given(st.randoms())
def test_verdicts_do_not_depend_on_the_order_of_rows(random: Any) -> None:
    window = normals(120, shift=0.4).tolist()
    shuffled = random.sample(window, len(window))
    assert compare(NORMAL, window, columns=1) == compare(NORMAL, shuffled, columns=1)
