import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import great_expectations as gx
import great_expectations.expectations as gxe
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_core.data.documents import ExpectationOutcome, StagedPartition, ValidationResult
from mlops_core.data.expectations import run_expectations
from mlops_core.data.snapshots import SnapshotStore
from mlops_core.data.validation import validate_partition
from mlops_core.errors import (
    BrokenExpectationError,
    CorruptedDataError,
    DataRejectedError,
    DeclarationError,
)
from mlops_core.pipeline import Pipeline
from mlops_core.reports import ReportStore

Declare = Callable[..., Pipeline]
Month = Callable[..., pa.Table]
Validate = Callable[..., ValidationResult]
SUITE = "ingest_example:suite"
# No regular expression, so nothing can be computed with it.
_BROKEN = gxe.ExpectColumnValuesToMatchRegex(column="id", regex="(")


@pytest.fixture
def validate(declare: Declare, store: SnapshotStore, reports: ReportStore) -> Validate:
    """Stage a table and validate it."""

    def run(table: pa.Table, *, partition: str = "2013-02", **fields: object) -> ValidationResult:
        staged = store.stage("toy", partition=partition, table=table)
        return validate_partition(declare(**fields), staged=staged, store=store, reports=reports)

    return run


def _names(outcomes: Sequence[ExpectationOutcome]) -> list[tuple[str, str | None]]:
    return [(outcome.expectation.removeprefix("expect_"), outcome.column) for outcome in outcomes]


def test_a_good_partition_passes_its_suite(validate: Validate, example: ModuleType, month: Month) -> None:
    example.SUITE[:] = [gxe.ExpectColumnValuesToBeBetween(column="distance", min_value=0, max_value=100)]

    result = validate(month(), expectations=SUITE)

    assert result.success
    assert (result.failures, result.warnings, result.broken, result.quarantine_uri) == ((), (), (), None)
    # The suite's own, and rows, target and three of the key that none may lack.
    assert result.expectations == 6
    result.require_success()


def test_a_suite_may_be_a_great_expectations_suite(
    validate: Validate, example: ModuleType, month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = gx.ExpectationSuite(
        name="mine", expectations=[gxe.ExpectColumnValuesToBeBetween(column="distance", max_value=5)]
    )
    monkeypatch.setattr(example, "suite", lambda: suite)

    # It may belong to a context already, and is handed out twice: nothing of a run may stay in it.
    gx.get_context(mode="ephemeral").suites.add(suite)

    first, again = (validate(month(), expectations=SUITE) for _ in range(2))

    assert first == again
    assert _names(first.failures) == [("column_values_to_be_between", "distance")]


def test_a_failed_expectation_is_named_with_its_numbers_and_where_the_rows_are(
    validate: Validate, example: ModuleType, month: Month
) -> None:
    example.SUITE[:] = [gxe.ExpectColumnValuesToBeBetween(column="distance", max_value=15)]

    result = validate(month(), expectations=SUITE)

    assert not result.success
    with pytest.raises(DataRejectedError) as refusal:
        result.require_success()
    message = str(refusal.value)
    assert "1 of 6 expectations refuse partition '2013-02' of 'toy' (20 rows)" in message
    assert "column 'distance' (max_value 15): 4 of 20 rows (20 %)" in message
    assert str(result.quarantine_uri) in message
    assert result.failures[0].examples == ("16.0", "17.0", "18.0")


def test_a_warning_is_reported_and_does_not_refuse(
    validate: Validate, example: ModuleType, month: Month
) -> None:
    example.SUITE[:] = [
        gxe.ExpectColumnValuesToBeBetween(column="distance", max_value=15, severity="warning"),
        gxe.ExpectColumnValuesToNotBeNull(column="carrier", severity="info"),
    ]

    result = validate(month(), expectations=SUITE)

    assert result.success
    assert len(result.warnings) == 2
    assert result.quarantine_uri is None


def test_a_refused_partition_is_kept_with_its_failed_rows_and_the_verdict(
    validate: Validate, example: ModuleType, month: Month, store: SnapshotStore
) -> None:
    example.SUITE[:] = [
        gxe.ExpectColumnValuesToBeBetween(column="distance", max_value=17),
        gxe.ExpectColumnValuesToNotBeNull(column="carrier", mostly=0.9),
        gxe.ExpectColumnValuesToBeInSet(column="late", value_set=[0], severity="warning"),
    ]

    result = validate(month(), expectations=SUITE)

    folder = Path(str(result.quarantine_uri))
    assert folder.parts[-3:] == ("toy", "2013-02", result.digest)
    assert pq.read_table(folder / "data.parquet").equals(month())
    assert ValidationResult.model_validate_json((folder / "validation.json").read_text()) == result
    failed = {row["_row"]: row for row in pq.read_table(folder / "failed_rows.parquet").to_pylist()}
    assert sorted(failed) == [0, 3, 6, 9, 12, 15, 18, 19]
    assert failed[18]["id"] == "a18"
    assert failed[18]["_failed"] == (
        "expect_column_values_to_be_between(distance); expect_column_values_to_not_be_null(carrier)"
    )
    assert store.find_current("toy") is None


def test_at_most_200_failed_rows_are_kept_and_every_expectation_has_some(
    validate: Validate, example: ModuleType, month: Month
) -> None:
    example.SUITE[:] = [
        gxe.ExpectColumnValuesToBeBetween(column="distance", max_value=-1),
        gxe.ExpectColumnValuesToNotBeNull(column="carrier"),
    ]

    result = validate(month(900), expectations=SUITE)

    rows = pq.read_table(Path(str(result.quarantine_uri)) / "failed_rows.parquet").to_pylist()
    assert 100 < len(rows) <= 200
    assert sum("carrier" in row["_failed"] for row in rows) >= 100
    assert sum("distance" in row["_failed"] for row in rows) >= 100


def test_validating_again_gives_the_same_verdict_in_the_same_places(
    declare: Declare, example: ModuleType, store: SnapshotStore, reports: ReportStore, month: Month
) -> None:
    example.SUITE[:] = [gxe.ExpectColumnValuesToBeBetween(column="distance", max_value=15)]
    staged = store.stage("toy", partition="2013-02", table=month())
    pipeline = declare(expectations=SUITE)

    first, again = (
        validate_partition(pipeline, staged=staged, store=store, reports=reports) for _ in range(2)
    )

    assert first == again
    assert len(list(Path(str(first.quarantine_uri)).parent.iterdir())) == 1


def test_the_report_is_a_page_and_json_and_escapes_what_the_data_say(
    validate: Validate, example: ModuleType, reports: ReportStore, month: Month
) -> None:
    hostile = "<script>alert(1)</script>"
    table = (
        month(3).set_column(2, "carrier", pa.array([hostile] * 3)).append_column(hostile, pa.array([1] * 3))
    )
    example.SUITE[:] = [
        gxe.ExpectColumnValuesToBeInSet(column="carrier", value_set=["UA"]),
        gxe.ExpectColumnValuesToBeBetween(column=hostile, min_value=2),
    ]

    result = validate(table, expectations=SUITE)

    page = reports.path(result.report)
    html = page.read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "refused" in html
    document = json.loads((page.parent / "validation.json").read_text())
    assert ValidationResult.model_validate(document) == result


def test_a_check_that_breaks_is_an_error_of_its_own(
    validate: Validate, example: ModuleType, month: Month
) -> None:
    example.SUITE[:] = [_BROKEN.copy(update={"severity": "warning"})]

    result = validate(month(), expectations=SUITE)

    assert not result.success
    assert (result.failures, result.warnings, result.quarantine_uri) == ((), (), None)
    assert _names(result.broken) == [("column_values_to_match_regex", "id")]
    with pytest.raises(BrokenExpectationError, match="Correct the expectation suite"):
        result.require_success()


def test_a_broken_check_does_not_hide_that_the_data_are_bad(
    validate: Validate, example: ModuleType, month: Month
) -> None:
    example.SUITE[:] = [
        _BROKEN,
        gxe.ExpectColumnValuesToBeBetween(column="distance", max_value=15),
    ]

    result = validate(month(), expectations=SUITE)

    with pytest.raises(DataRejectedError, match="max_value 15"):
        result.require_success()
    assert len(result.broken) == 1
    assert result.quarantine_uri is not None


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        ([], "an empty suite, which would pass anything"),
        ([gxe.ExpectTableRowCountToBeBetween(min_value=1)], "only a row count"),
        (["expect_column_to_exist"], "no sequence of expectations"),
        (None, "no sequence of expectations"),
    ],
    ids=["empty", "rows only", "names", "none"],
)
def test_a_suite_that_expects_nothing_is_refused(
    validate: Validate,
    example: ModuleType,
    month: Month,
    monkeypatch: pytest.MonkeyPatch,
    suite: object,
    message: str,
) -> None:
    monkeypatch.setattr(example, "suite", lambda: suite)

    with pytest.raises(DeclarationError, match=message):
        validate(month(), expectations=SUITE)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [gxe.ExpectTableRowCountToBeBetween(max_value=100)],
        [gxe.ExpectTableRowCountToBeBetween(min_value=50, severity="warning")],
    ],
    ids=["none", "no minimum", "warning"],
)
def test_a_suite_that_cannot_refuse_too_few_rows_gets_the_pipelines_minimum(
    validate: Validate, example: ModuleType, month: Month, rows: list[object]
) -> None:
    example.SUITE[:] = [*rows, gxe.ExpectColumnToExist(column="carrier")]

    result = validate(month(), expectations=SUITE, minimum_partition_rows=21)

    assert _names(result.failures) == [("table_row_count_to_be_between", None)]
    assert "min_value 21" in result.failures[0].expected
    assert result.failures[0].detail == "observed 20"


def test_a_suites_own_row_count_is_what_counts(validate: Validate, example: ModuleType, month: Month) -> None:
    example.SUITE[:] = [gxe.ExpectTableRowCountToEqual(value=20), gxe.ExpectColumnToExist(column="carrier")]

    assert validate(month(), expectations=SUITE, minimum_partition_rows=21).success


def test_a_suites_function_may_depend_on_the_partition(
    validate: Validate, example: ModuleType, month: Month
) -> None:
    example.SUITE[:] = [
        lambda partition: [gxe.ExpectColumnDistinctValuesToContainSet(column="id", value_set=[partition])]
    ]
    suite = "ingest_example:suite_of_partition"

    assert validate(month(), partition="a3", expectations=suite).success
    result = validate(month(), partition="b3", expectations=suite)
    assert result.failures[0].detail == "missing: b3"


@pytest.mark.parametrize("missing", ["late", "id", "distance"])
def test_a_missing_target_key_or_feature_is_refused_once_whatever_the_suite(
    validate: Validate, example: ModuleType, month: Month, missing: str
) -> None:
    example.SUITE[:] = [gxe.ExpectColumnToExist(column="carrier")]

    result = validate(month().drop_columns([missing]), expectations=SUITE, features=("distance", "carrier"))

    assert _names(result.failures) == [("column_to_exist", missing)]
    assert result.failures[0].detail == "the column is missing"
    assert result.broken == ()


def test_a_check_of_a_missing_column_is_the_datas_fault(
    validate: Validate, example: ModuleType, month: Month
) -> None:
    example.SUITE[:] = [
        gxe.ExpectColumnValuesToBeBetween(column="speed", min_value=0, severity="warning"),
        gxe.ExpectColumnValuesToBeBetween(column="speed", min_value=0),
        gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="distance", column_B="height"),
    ]

    result = validate(month(), expectations=SUITE)

    assert _names(result.failures) == [
        ("column_values_to_be_between", "speed"),
        ("column_pair_values_a_to_be_greater_than_b", "height"),
    ]
    assert (result.warnings, result.broken) == ((), ())


def test_a_key_that_is_repeated_or_null_is_refused(
    validate: Validate, example: ModuleType, month: Month
) -> None:
    example.SUITE[:] = [gxe.ExpectColumnToExist(column="carrier")]
    keys = ["a", "a", None, *(f"b{row}" for row in range(17))]

    result = validate(month().set_column(0, "id", pa.array(keys)), expectations=SUITE)

    assert _names(result.failures) == [
        ("column_values_to_not_be_null", "id"),
        ("column_values_to_be_unique", "id"),
    ]


def test_without_a_suite_a_first_partition_needs_rows_target_and_a_key(
    validate: Validate, month: Month
) -> None:
    assert validate(month()).success
    refused = validate(month().drop_columns(["late"]), minimum_partition_rows=30)
    assert _names(refused.failures) == [("table_row_count_to_be_between", None), ("column_to_exist", "late")]


def test_without_a_suite_later_partitions_need_the_columns_published_before(
    validate: Validate, store: SnapshotStore, month: Month
) -> None:
    store.write_partition("toy", "2013-01", month())
    renamed = month().rename_columns(["id", "miles", "carrier", "late"])
    retyped = month().set_column(1, "distance", pa.array(range(20)))
    more = month().append_column("speed", pa.array([1.0] * 20))

    assert validate(month()).success
    assert validate(renamed).failures[0].detail == "unexpected: miles; missing: distance"
    (failure,) = validate(retyped).failures
    assert failure.detail == "distance is int64, was double"
    accepted = validate(more)
    assert accepted.success
    assert accepted.warnings[0].detail == "unexpected: speed"


def test_a_type_that_changed_is_refused_whatever_the_suite_says(
    validate: Validate, example: ModuleType, store: SnapshotStore, month: Month
) -> None:
    store.write_partition("toy", "2013-01", month())
    example.SUITE[:] = [gxe.ExpectColumnToExist(column="carrier")]

    result = validate(month().set_column(1, "distance", pa.array(range(20))), expectations=SUITE)

    assert not result.success
    assert _names(result.failures) == [("column_types_of_former_snapshot", None)]


def test_a_replaced_partition_is_not_compared_with_itself(
    validate: Validate, store: SnapshotStore, month: Month
) -> None:
    store.write_partition("toy", "2013-02", month())
    renamed = month().rename_columns(["id", "miles", "carrier", "late"])

    assert validate(renamed, partition="2013-02").success
    assert not validate(renamed, partition="2013-03").success


def test_staged_data_that_changed_are_not_validated(
    declare: Declare, store: SnapshotStore, reports: ReportStore, month: Month
) -> None:
    staged: StagedPartition = store.stage("toy", partition="2013-02", table=month())
    path = Path(staged.uri)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(CorruptedDataError):
        validate_partition(declare(), staged=staged, store=store, reports=reports)


def test_findings_come_in_the_order_of_the_expectations(month: Month) -> None:
    expectations = [
        gxe.ExpectColumnValuesToBeBetween(column="distance", max_value=bound) for bound in (3, 30, 2, 3)
    ]

    findings = run_expectations(expectations, frame=month().to_pandas())

    assert [finding.outcome.unexpected_rows for finding in findings] == [16, 0, 17, 16]


def test_an_answer_that_lacks_an_expectation_is_an_error(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = gx.ValidationDefinition.run

    def losing_one(self: gx.ValidationDefinition, **arguments: object) -> object:
        found = answer(self, **arguments)
        found.results.pop()
        return found

    monkeypatch.setattr(gx.ValidationDefinition, "run", losing_one)
    expectations = [gxe.ExpectColumnToExist(column=column) for column in ("id", "late")]

    with pytest.raises(BrokenExpectationError, match="1 of 2 expectations"):
        run_expectations(expectations, frame=month().to_pandas())
