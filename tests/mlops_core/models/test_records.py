"""What the model server accepts as a record."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_core.errors import DeclarationError, InvalidRecordsError
from mlops_core.models.problem import Problem
from mlops_core.models.records import MOST_PROBLEMS, RecordsSchema, records_of

FEATURES = {"distance": "double", "carrier": "string", "is_weekend": "boolean", "at": "datetime"}
GOOD = {"distance": 512.5, "carrier": "UA", "is_weekend": True, "at": "2013-07-01T18:00:00"}


@pytest.fixture(scope="module")
def schema() -> RecordsSchema:
    return RecordsSchema(FEATURES, max_records=100)


def body(*records: object) -> bytes:
    return json.dumps({"records": records}).encode()


def problems_of(schema: RecordsSchema, content: bytes) -> tuple[Problem, ...]:
    with pytest.raises(InvalidRecordsError) as refused:
        schema.parse(content)
    return refused.value.args


def test_a_good_record_becomes_a_row_of_the_types_that_models_are_fitted_on(schema: RecordsSchema) -> None:
    frame = schema.parse(body(GOOD))

    assert list(frame.columns) == list(FEATURES)
    assert [str(dtype) for dtype in frame.dtypes] == ["float64", "str", "float64", "datetime64[us]"]
    assert frame.iloc[0].tolist() == [512.5, "UA", 1.0, pd.Timestamp("2013-07-01T18:00:00")]


def test_the_order_of_a_records_fields_does_not_matter(schema: RecordsSchema) -> None:
    reordered = dict(reversed(GOOD.items()))

    pd.testing.assert_frame_equal(schema.parse(body(reordered)), schema.parse(body(GOOD)))


def test_null_is_a_missing_value_of_each_type(schema: RecordsSchema) -> None:
    frame = schema.parse(body(GOOD, dict.fromkeys(FEATURES)))

    assert frame.iloc[1].isna().all()
    assert [str(dtype) for dtype in frame.dtypes] == ["float64", "str", "float64", "datetime64[us]"]


def test_a_whole_number_is_a_number(schema: RecordsSchema) -> None:
    assert schema.parse(body({**GOOD, "distance": 3}))["distance"].tolist() == [3.0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("distance", True),
        ("distance", "3"),
        ("distance", [3]),
        ("distance", {"value": 3}),
        ("carrier", 3),
        ("carrier", True),
        ("carrier", ["UA"]),
        ("is_weekend", 1),
        ("is_weekend", 0.0),
        ("is_weekend", "true"),
        ("at", 1372701600),
        ("at", "1372701600"),
        ("at", "yesterday"),
        ("at", "2013-07-01T18:00:00+02:00"),
        ("at", "2013-07-01T18:00:00Z"),
        ("at", True),
    ],
)
def test_a_value_of_another_type_is_refused_with_the_field_named(
    schema: RecordsSchema, field: str, value: object
) -> None:
    problems = problems_of(schema, body(GOOD, {**GOOD, field: value}))

    assert [problem.loc for problem in problems] == [("records", 1, field)]


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_is_not_finite_is_refused(schema: RecordsSchema, literal: str) -> None:
    content = body({**GOOD, "distance": 0.125}).replace(b"0.125", literal.encode())

    (problem,) = problems_of(schema, content)

    assert problem.loc == ("records", 0, "distance")
    assert "finite" in problem.msg


def test_a_missing_field_is_named(schema: RecordsSchema) -> None:
    incomplete = {name: value for name, value in GOOD.items() if name != "carrier"}

    (problem,) = problems_of(schema, body(incomplete))

    assert problem == Problem(loc=("records", 0, "carrier"), msg="Field required")


def test_an_unknown_field_is_named(schema: RecordsSchema) -> None:
    (problem,) = problems_of(schema, body({**GOOD, "distanse": 3}))

    assert problem == Problem(loc=("records", 0, "distanse"), msg="Extra inputs are not permitted")


@pytest.mark.parametrize(
    ("content", "loc"),
    [
        (b"", ("body",)),
        (b"{", ("body",)),
        (b"\xff\xfe", ("body",)),
        (b'"\\ud800"', ("body",)),
        (b"[" * 10_000, ("body",)),
        (b"null", ("body",)),
        (b"[]", ("body",)),
        (b"{}", ("records",)),
        (b'{"records": null}', ("records",)),
        (b'{"records": {}}', ("records",)),
        (b'{"records": []}', ("records",)),
        (b'{"records": [null]}', ("records", 0)),
        (b'{"records": [[1]]}', ("records", 0)),
        (b'{"records": [1]}', ("records", 0)),
        (body(*[GOOD] * 101), ("records",)),
    ],
)
def test_what_is_no_list_of_records_is_refused(
    schema: RecordsSchema, content: bytes, loc: tuple[str, ...]
) -> None:
    assert problems_of(schema, content)[0].loc == loc


def test_a_field_beside_records_is_refused(schema: RecordsSchema) -> None:
    content = json.dumps({"records": [GOOD], "model": "flights"}).encode()

    assert [problem.loc for problem in problems_of(schema, content)] == [("model",)]


def test_a_feature_may_have_any_name() -> None:
    schema = RecordsSchema(
        {"from": "string", "model_config": "double", "tail number": "string"}, max_records=1
    )

    frame = schema.parse(body({"from": "JFK", "model_config": 1, "tail number": "N1"}))

    assert frame.iloc[0].tolist() == ["JFK", 1.0, "N1"]


def test_a_feature_that_json_cannot_carry_is_an_error_when_the_model_is_loaded() -> None:
    with pytest.raises(DeclarationError, match=r"image \(binary\)"):
        RecordsSchema({"image": "binary"}, max_records=1)


@pytest.mark.parametrize(
    "records",
    [
        [{name: [] for name in FEATURES}] * 100,
        [{f"unknown_{number}": 1 for number in range(2_000)}],
        [{"x" * 1_000_000: 1}],
        [{**GOOD, "carrier": 3}] * 100,
    ],
    ids=["all wrong", "many unknown", "a name of a megabyte", "one wrong in each"],
)
def test_the_refusal_is_small_however_much_is_wrong(
    schema: RecordsSchema, records: list[dict[str, Any]]
) -> None:
    problems = problems_of(schema, body(*records))

    assert 1 <= len(problems) <= MOST_PROBLEMS
    assert sum(len(problem.model_dump_json()) for problem in problems) < 20_000


def test_when_very_much_is_wrong_the_first_problems_are_named() -> None:
    schema = RecordsSchema({f"f{number}": "double" for number in range(20)}, max_records=100)
    records = [{f"f{number}": "x" for number in range(20)}] * 99

    problems = problems_of(schema, body({f"f{number}": 1 for number in range(20)}, *records))

    assert [problem.loc for problem in problems] == [("records", 1, f"f{number}") for number in range(20)]


def test_when_a_body_has_very_many_unknown_fields_they_are_named(schema: RecordsSchema) -> None:
    content = json.dumps({"records": [GOOD], **{f"unknown_{number}": 1 for number in range(2_000)}}).encode()

    problems = problems_of(schema, content)

    assert len(problems) == MOST_PROBLEMS
    assert {problem.msg for problem in problems} == {"Extra inputs are not permitted"}


def test_a_record_with_very_many_unknown_fields_is_named(schema: RecordsSchema) -> None:
    (problem,) = problems_of(schema, body({f"unknown_{number}": 1 for number in range(2_000)}))

    assert problem == Problem(loc=("records", 0), msg="Record has 2000 fields; the model has 4 features")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.sampled_from([*FEATURES, "records", "x"]), children, max_size=6)
    ),
    max_leaves=20,
)
near_records = st.fixed_dictionaries({}, optional=dict.fromkeys([*FEATURES, "extra"], json_values))


@given(st.lists(near_records, max_size=5) | json_values)
def test_any_json_is_parsed_or_refused(schema: RecordsSchema, records: object) -> None:
    content = json.dumps({"records": records}).encode()

    try:
        outcome: Any = schema.parse(content)
    except InvalidRecordsError as error:
        outcome = error

    if isinstance(outcome, InvalidRecordsError):
        assert 1 <= len(outcome.args) <= MOST_PROBLEMS
    else:
        assert isinstance(records, list)
        assert len(outcome) == len(records)


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(schema: RecordsSchema, content: bytes) -> None:
    with pytest.raises(InvalidRecordsError):
        schema.parse(content)


def test_a_frame_turned_into_records_comes_back_as_it_was(schema: RecordsSchema) -> None:
    frame = pd.DataFrame(
        {
            "distance": [1.5, np.nan],
            "carrier": pd.Series(["UA", None], dtype="str"),
            "is_weekend": [1.0, np.nan],
            "at": pd.Series(["2013-07-01T18:00:00.000001", None], dtype="datetime64[us]"),
        }
    )

    records = records_of(frame, FEATURES)

    assert records == [
        {"distance": 1.5, "carrier": "UA", "is_weekend": True, "at": "2013-07-01T18:00:00.000001"},
        dict.fromkeys(FEATURES),
    ]
    pd.testing.assert_frame_equal(schema.parse(body(*records)), frame)
