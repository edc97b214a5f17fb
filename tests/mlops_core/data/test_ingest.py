import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlops_core.data.documents import ExpectationOutcome, ValidationResult
from mlops_core.data.ingest import load_partition, publish_partition
from mlops_core.data.snapshots import SnapshotStore, StagedPartition
from mlops_core.errors import BrokenExpectationError, DataRejectedError, DeclarationError
from mlops_core.pipeline import Pipeline

Declare = Callable[..., Pipeline]
Month = Callable[..., pa.Table]


def _validation(staged: StagedPartition, **fields: object) -> ValidationResult:
    passed: dict[str, object] = {
        "pipeline": staged.pipeline,
        "partition": staged.partition,
        "digest": staged.digest,
        "rows": staged.rows,
        "success": True,
        "expectations": 2,
        "failures": (),
        "warnings": (),
        "broken": (),
        "report": "toy/validation/x/report.html",
        "quarantine_uri": None,
    }
    return ValidationResult.model_validate({**passed, **fields})


def test_what_a_loader_returns_is_staged_with_its_rows(
    declare: Declare, example: ModuleType, store: SnapshotStore, month: Month
) -> None:
    example.LOADED["2013-01"] = month()

    staged = load_partition(declare(), partition="2013-01", store=store)

    assert (staged.pipeline, staged.partition, staged.rows) == ("toy", "2013-01", 20)
    assert store.read_staged(staged).equals(month())
    assert store.find_current("toy") is None


def test_loading_again_stages_the_same_file(
    declare: Declare, example: ModuleType, store: SnapshotStore, month: Month
) -> None:
    example.LOADED["2013-01"] = month()

    first, again = (load_partition(declare(), partition="2013-01", store=store) for _ in range(2))

    assert first == again


def test_a_data_frame_gives_the_same_file_as_the_table(
    declare: Declare, example: ModuleType, store: SnapshotStore
) -> None:
    example.LOADED["frame"] = pd.DataFrame({"id": ["a", None], "x": [1.0, np.nan]}, index=[7, 9])
    example.LOADED["table"] = pa.table({"id": ["a", None], "x": [1.0, None]})

    frame, table = (
        load_partition(declare(), partition=partition, store=store) for partition in ("frame", "table")
    )

    assert frame.digest == table.digest


def test_an_empty_partition_is_refused(
    declare: Declare, example: ModuleType, store: SnapshotStore, month: Month
) -> None:
    example.LOADED |= {"rows": month(0), "columns": pa.table({}), "frame": pd.DataFrame()}

    for partition in example.LOADED:
        with pytest.raises(DataRejectedError, match=f"partition '{partition}' of 'toy' is empty: 0 rows"):
            load_partition(declare(), partition=partition, store=store)


def test_a_partition_key_that_leads_elsewhere_never_reaches_the_loader(
    declare: Declare, example: ModuleType, store: SnapshotStore, month: Month
) -> None:
    example.LOADED["../x"] = month()

    with pytest.raises(DeclarationError, match=r"partition '../x' is no key"):
        load_partition(declare(), partition="../x", store=store)


def test_a_loader_that_returns_no_table_is_named(
    declare: Declare, example: ModuleType, store: SnapshotStore
) -> None:
    example.LOADED["2013-01"] = [{"id": "a"}]

    with pytest.raises(DeclarationError, match="ingest_example:load returned list; return a pyarrow"):
        load_partition(declare(), partition="2013-01", store=store)


def test_a_column_of_mixed_types_is_named(
    declare: Declare, example: ModuleType, store: SnapshotStore
) -> None:
    example.LOADED["2013-01"] = pd.DataFrame({"distance": pd.Series([1, "far"], dtype=object)})

    with pytest.raises(DataRejectedError, match="distance"):
        load_partition(declare(), partition="2013-01", store=store)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.nulls(2), "holds no value and has no type"),
        (pa.array([dt.time(1), None]), "which Delta Lake cannot store"),
        (pa.array([np.float16(1), None], pa.float16()), "which Delta Lake cannot store"),
        (pa.array([2**63, 0], pa.uint64()), "does not fit int64"),
        (pa.array([1, None], pa.timestamp("ns")), "does not fit timestamp"),
    ],
    ids=["null", "time", "half", "too large", "nanoseconds"],
)
def test_a_column_that_cannot_be_stored_without_loss_is_named(
    declare: Declare, example: ModuleType, store: SnapshotStore, column: pa.Array, message: str
) -> None:
    example.LOADED["2013-01"] = pa.table({"odd": column})

    with pytest.raises(DataRejectedError, match=f"column 'odd' .*{message}"):
        load_partition(declare(), partition="2013-01", store=store)


@pytest.mark.parametrize(
    ("column", "stored"),
    [
        (pa.array([255, None], pa.uint8()), pa.int16()),
        (pa.array([2**32 - 1, None], pa.uint32()), pa.int64()),
        (pa.array(["a", None], pa.large_string()), pa.string()),
        (pa.array(["a", None], pa.string_view()), pa.string()),
        (pa.array(["a", None]).dictionary_encode(), pa.string()),
        (pa.array([1000, None], pa.timestamp("ns", "Europe/Paris")), pa.timestamp("us", "UTC")),
        (pa.array([86_400_000, None], pa.date64()), pa.date32()),
        (pa.array([Decimal("1.50"), None]), pa.decimal128(3, 2)),
        (pa.array([[1], None]), pa.list_(pa.int64())),
        (pa.array([True, None]), pa.bool_()),
    ],
    ids=str,
)
def test_a_column_is_stored_without_loss(store: SnapshotStore, column: pa.Array, stored: pa.DataType) -> None:
    published = store.write_partition("toy", "p", pa.table({"x": column}))

    read = store.read(published.snapshot)["x"]

    assert read.type == stored
    assert read.cast(column.type).to_pylist() == column.to_pylist()


def test_columns_that_appear_twice_or_are_reserved_are_refused(
    declare: Declare, example: ModuleType, store: SnapshotStore
) -> None:
    one = pa.array([1])
    example.LOADED["twice"] = pa.Table.from_arrays([one, one], names=["x", "x"])
    example.LOADED["reserved"] = pa.table({"partition": ["p"]})

    with pytest.raises(DataRejectedError, match="more than once: x"):
        load_partition(declare(), partition="twice", store=store)
    with pytest.raises(DataRejectedError, match="'partition' is reserved"):
        load_partition(declare(), partition="reserved", store=store)


def test_the_files_carry_page_checksums_for_other_readers(store: SnapshotStore, month: Month) -> None:
    staged = store.stage("toy", partition="2013-01", table=month(2000))
    content = bytearray(pa.OSFile(staged.uri).read())
    # Somewhere in the first column's pages, which lie before all else.
    content[200] ^= 4

    with pytest.raises(OSError, match="CRC checksum"):
        pq.read_table(pa.BufferReader(bytes(content)), page_checksum_verification=True)


def test_a_validated_partition_is_published(store: SnapshotStore, month: Month) -> None:
    staged = store.stage("toy", partition="2013-01", table=month())

    published = publish_partition(staged, validation=_validation(staged), store=store)

    assert store.read(published.snapshot).equals(month())


def test_a_validation_of_other_data_publishes_nothing(store: SnapshotStore, month: Month) -> None:
    staged = store.stage("toy", partition="2013-01", table=month())
    other = store.stage("toy", partition="2013-01", table=month(5))

    with pytest.raises(DataRejectedError, match="validate what is to be published"):
        publish_partition(staged, validation=_validation(other), store=store)
    assert store.find_current("toy") is None


def test_a_refused_or_undecided_validation_publishes_nothing(store: SnapshotStore, month: Month) -> None:
    staged = store.stage("toy", partition="2013-01", table=month())
    outcome = ExpectationOutcome(
        expectation="expect_x",
        column="x",
        severity="error",
        status="failed",
        expected="",
        detail="7 of 20 rows",
    )

    refused = _validation(staged, success=False, failures=(outcome,), quarantine_uri="somewhere")
    with pytest.raises(DataRejectedError, match=r"expect_x of column 'x': 7 of 20 rows.*somewhere"):
        publish_partition(staged, validation=refused, store=store)
    broken = _validation(staged, success=False, broken=(outcome,))
    with pytest.raises(BrokenExpectationError, match="could not be computed"):
        publish_partition(staged, validation=broken, store=store)
    contradictory = _validation(staged, success=True, failures=(outcome,))
    with pytest.raises(DataRejectedError):
        publish_partition(staged, validation=contradictory, store=store)
    with pytest.raises(BrokenExpectationError):
        publish_partition(staged, validation=_validation(staged, success=False), store=store)
    assert store.find_current("toy") is None
