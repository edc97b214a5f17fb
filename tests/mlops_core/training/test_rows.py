"""Only labelled rows train, and only features are features."""

import math

import numpy as np
import pyarrow as pa
import pytest

import toy_models
from mlops_core.errors import DataRejectedError, DeclarationError, EmptySampleError
from mlops_core.pipeline import Pipeline
from mlops_core.training.rows import labelled_rows

TABLE = toy_models.load("2013-01")
EVERY_COLUMN = toy_models.BINARY.model_copy(update={"features": None})


def with_column(name: str, values: object) -> pa.Table:
    place = TABLE.schema.get_field_index(name)
    return TABLE.set_column(place, name, values) if place >= 0 else TABLE.append_column(name, values)


def test_rows_without_a_known_target_are_left_out() -> None:
    rows = labelled_rows(TABLE, pipeline=toy_models.BINARY)

    assert 0 < TABLE["positive"].null_count < TABLE.num_rows
    assert len(rows.target) == len(rows.features) == TABLE.num_rows - TABLE["positive"].null_count
    assert rows.target.dtype == bool


def test_a_target_of_nan_is_as_unknown_as_a_missing_one() -> None:
    table = with_column("value", pa.array([math.nan, None, *[1.0] * (TABLE.num_rows - 2)]))

    assert len(labelled_rows(table, pipeline=toy_models.REGRESSION).target) == TABLE.num_rows - 2


def test_features_are_the_declared_ones_in_their_order() -> None:
    rows = labelled_rows(TABLE, pipeline=toy_models.BINARY)

    assert tuple(rows.features.columns) == toy_models.BINARY.features
    assert rows.types == {"amount": "double", "colour": "string", "count": "double", "member": "boolean"}


def test_undeclared_features_are_every_column_but_key_target_and_partition() -> None:
    table = TABLE.append_column("partition", pa.array(["2013-01"] * TABLE.num_rows))

    rows = labelled_rows(table, pipeline=EVERY_COLUMN)

    assert list(rows.features.columns) == ["amount", "colour", "count", "member", "size", "value"]


@pytest.mark.parametrize("name", ["id", "partition"])
def test_the_key_and_the_partition_may_not_be_declared_as_features(name: str) -> None:
    pipeline = toy_models.BINARY.model_copy(update={"features": ("amount", name)})

    with pytest.raises(DeclarationError, match=f"{name} may be no feature"):
        labelled_rows(TABLE, pipeline=pipeline)


def test_a_declared_feature_that_is_no_column_is_named() -> None:
    pipeline = toy_models.BINARY.model_copy(update={"features": ("amount", "weight")})

    with pytest.raises(DeclarationError, match="the data lack weight"):
        labelled_rows(TABLE, pipeline=pipeline)


def test_a_table_without_the_target_is_refused() -> None:
    with pytest.raises(DeclarationError, match="have no target 'positive'"):
        labelled_rows(TABLE.drop_columns("positive"), pipeline=toy_models.BINARY)


def test_no_label_at_all_is_an_empty_sample() -> None:
    table = with_column("positive", pa.nulls(TABLE.num_rows, pa.bool_()))

    with pytest.raises(EmptySampleError, match=f"none of {TABLE.num_rows} rows has a known 'positive'"):
        labelled_rows(table, pipeline=toy_models.BINARY)


@pytest.mark.parametrize(
    ("pipeline", "values", "message"),
    [
        (toy_models.BINARY, [1] * TABLE.num_rows, "1 classes .* needs 2"),
        (toy_models.BINARY, [1, 2, 3, 4] * (TABLE.num_rows // 4), "4 classes .* needs 2"),
        (toy_models.MULTICLASS, ["a"] * TABLE.num_rows, "1 classes .* needs at least 2"),
        (toy_models.REGRESSION, [math.inf, *[1.0] * (TABLE.num_rows - 1)], "1 of 200 values .* infinite"),
    ],
)
def test_a_target_that_the_task_cannot_learn_is_refused(
    pipeline: Pipeline, values: list[object], message: str
) -> None:
    with pytest.raises(DataRejectedError, match=message):
        labelled_rows(with_column(pipeline.target, pa.array(values)), pipeline=pipeline)


def test_a_feature_without_any_value_keeps_its_type() -> None:
    table = with_column("member", pa.nulls(TABLE.num_rows, pa.bool_()))

    rows = labelled_rows(table, pipeline=toy_models.BINARY)

    assert rows.types["member"] == "boolean"
    assert rows.features["member"].isna().all()


def test_dictionary_columns_are_text() -> None:
    table = with_column("colour", TABLE["colour"].dictionary_encode())

    rows = labelled_rows(table, pipeline=toy_models.BINARY)

    assert rows.types["colour"] == "string"
    assert rows.features["colour"].dtype == "str"


@pytest.mark.parametrize("values", [[[1]] * TABLE.num_rows, [b"x"] * TABLE.num_rows, [None] * TABLE.num_rows])
def test_a_column_that_can_be_no_feature_is_named(values: list[object]) -> None:
    table = with_column("amount", pa.array(values))

    with pytest.raises(DeclarationError, match="column 'amount' is of the type"):
        labelled_rows(table, pipeline=toy_models.BINARY)


def test_whole_numbers_have_one_type_with_and_without_gaps() -> None:
    full = with_column("count", pa.array([1] * TABLE.num_rows))

    assert (
        labelled_rows(full, pipeline=toy_models.BINARY).features.dtypes.tolist()
        == labelled_rows(TABLE, pipeline=toy_models.BINARY).features.dtypes.tolist()
    )


def test_rows_know_their_partition_where_it_was_read_and_are_no_feature_of_it() -> None:
    keys = ["2013-01"] * 150 + ["2013-02"] * (TABLE.num_rows - 150)
    read = TABLE.append_column("partition", pa.array(keys))
    unlabelled = TABLE["positive"].slice(0, 150).null_count

    rows = labelled_rows(read, pipeline=toy_models.BINARY)

    assert rows.partitions.tolist().count("2013-01") == 150 - unlabelled
    assert len(rows.partitions) == len(rows.target)
    assert "partition" not in rows.features
    assert labelled_rows(TABLE, pipeline=toy_models.BINARY).partitions.size == 0


def test_some_of_the_rows_are_numbered_anew_and_keep_everything_else() -> None:
    read = TABLE.append_column("partition", pa.array([f"p{row}" for row in range(TABLE.num_rows)]))
    rows = labelled_rows(read, pipeline=toy_models.BINARY)

    taken = rows.take(np.array([5, 2]))

    assert taken.features.index.tolist() == taken.target.index.tolist() == [0, 1]
    assert taken.target.tolist() == [rows.target[5], rows.target[2]]
    assert taken.partitions.tolist() == [rows.partitions[5], rows.partitions[2]]
    assert taken.features.dtypes.equals(rows.features.dtypes)
    assert taken.types == rows.types
