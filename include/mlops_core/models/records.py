"""Records from outside: what a model accepts, checked strictly before it sees any of it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from pydantic import ValidationError
from pydantic_core import CoreSchema, ErrorDetails, SchemaValidator, core_schema, from_json

from mlops_core.errors import DeclarationError, InvalidRecordsError
from mlops_core.evaluation.catalogue import Task
from mlops_core.models.frames import BOOLEAN, DATETIME, DOUBLE, STRING
from mlops_core.models.loaded import LoadedModel, Predictions
from mlops_core.models.problem import Problem

MOST_PROBLEMS = 20
_LONGEST_NAME = 128
_LONGEST_MESSAGE = 300

Record: TypeAlias = dict[str, Any]


def _timestamp(value: object) -> datetime:
    # Pydantic would also take seconds since 1970, which a number in the wrong field looks like.
    try:
        if isinstance(value, str) and (timestamp := datetime.fromisoformat(value)).tzinfo is None:
            return timestamp
    except ValueError:
        pass
    raise ValueError(
        "Input should be an ISO 8601 timestamp without a time zone, for example 2013-07-01T18:00:00"
    )


_TYPES: Mapping[str, CoreSchema] = {
    DOUBLE: core_schema.float_schema(strict=True, allow_inf_nan=False),
    STRING: core_schema.str_schema(strict=True),
    BOOLEAN: core_schema.bool_schema(strict=True),
    DATETIME: core_schema.no_info_plain_validator_function(_timestamp),
}
# As models are fitted: booleans as floats, because a boolean column has no place for a missing value.
_DTYPES: Mapping[str, pd.StringDtype | np.dtype] = {
    DOUBLE: np.dtype("float64"),
    STRING: pd.StringDtype(na_value=np.nan),
    BOOLEAN: np.dtype("float64"),
    DATETIME: np.dtype("datetime64[us]"),
}


class RecordsSchema:
    """The records that one model accepts; built once when the model is loaded.

    A record has every feature and nothing else. A feature may be null, as it may in training. Types are
    strict: a boolean is no number, ``"3"`` is no number, and NaN and infinity are refused.

    Parameters
    ----------
    features
        Type by name, in the model's order: ``double``, ``string``, ``boolean`` or ``datetime``.
    max_records
        In one request.

    Raises
    ------
    DeclarationError
        If a feature's type cannot be sent as JSON.
    """

    def __init__(self, features: Mapping[str, str], *, max_records: int) -> None:
        unknown = sorted(f"{name} ({kind})" for name, kind in features.items() if kind not in _TYPES)
        if unknown:
            known = ", ".join(sorted(_TYPES))
            raise DeclarationError(
                f"cannot accept features {', '.join(unknown)} in JSON; known types: {known}"
            )
        self.max_records = max_records
        self._dtypes = {name: _DTYPES[kind] for name, kind in features.items()}
        # Written in the validator's own terms: these fields are known only when the model is loaded, and a
        # column's name need not be a Python identifier, as the fields of a pydantic model must.
        record = core_schema.typed_dict_schema(
            {
                name: core_schema.typed_dict_field(core_schema.nullable_schema(_TYPES[kind]))
                for name, kind in features.items()
            },
            extra_behavior="forbid",
        )
        records = core_schema.list_schema(record, min_length=1, max_length=max_records, strict=True)
        self._record = SchemaValidator(record)
        self._envelope = SchemaValidator(
            core_schema.typed_dict_schema(
                {"records": core_schema.typed_dict_field(records)}, extra_behavior="forbid"
            )
        )

    def parse(self, body: bytes) -> pd.DataFrame:
        """Return the records of a request's body ``{"records": [{...}]}`` as a frame in the model's order.

        Raises
        ------
        InvalidRecordsError
            If it is no JSON or any record does not fit; names at most 20 places.
        """
        try:
            # Parsed first and then validated: pydantic's own JSON mode takes quadratic time over many unknown
            # fields, and a hostile body of 5 MB would hold the interpreter for seconds.
            content = from_json(body)
        except ValueError as error:
            raise InvalidRecordsError(
                Problem(loc=("body",), msg=_shorten(f"Invalid JSON: {error}"))
            ) from error
        try:
            records = self._envelope.validate_python(content)["records"]
        except ValidationError as error:
            raise InvalidRecordsError(*self._problems(content, error)) from None
        return self._frame(records)

    def _frame(self, records: Sequence[Record]) -> pd.DataFrame:
        columns = {
            name: _array([record[name] for record in records], dtype) for name, dtype in self._dtypes.items()
        }
        return pd.DataFrame(columns, copy=False)

    def _problems(self, content: object, error: ValidationError) -> list[Problem]:
        if error.error_count() <= 1_000 or not isinstance(content, dict):
            return [_problem(details) for details in _details(error)[:MOST_PROBLEMS]]
        # Describing each of a hundred thousand errors would hold the interpreter for seconds.
        return list(islice(self._first_problems(content), MOST_PROBLEMS))

    def _first_problems(self, content: Record) -> Iterator[Problem]:
        """Look at one record after the other, for as long as the caller wants problems."""
        for name in content:
            if name != "records":
                yield Problem(loc=(name[:_LONGEST_NAME],), msg="Extra inputs are not permitted")
        # It is a list: anything else is one problem, so that there were enough of them above.
        for index, record in enumerate(content["records"]):
            if isinstance(record, dict) and len(record) > len(self._dtypes) + MOST_PROBLEMS:
                message = f"Record has {len(record)} fields; the model has {len(self._dtypes)} features"
                yield Problem(loc=("records", index), msg=message)
                continue
            try:
                self._record.validate_python(record)
            except ValidationError as error:
                yield from (_problem(details, "records", index) for details in _details(error))


def records_of(frame: pd.DataFrame, features: Mapping[str, str]) -> list[Record]:
    """Return a frame's rows as records of a model's features: what its server accepts.

    A missing value is None, and what training holds as 0.0 and 1.0 for a boolean is one again.
    """
    columns = {
        name: [_json_value(value, kind) for value in frame[name].tolist()] for name, kind in features.items()
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def answers_of(predictions: Predictions, model: LoadedModel) -> list[Record]:
    """Return a score and a label a row, as the model server answers them; multiclass: a score by class."""
    scores: list[Any] = predictions.scores.tolist()
    if model.task is Task.MULTICLASS_CLASSIFICATION:
        classes = [str(name) for name in model.classes]
        scores = [dict(zip(classes, row, strict=True)) for row in scores]
    return [
        {"score": score, "label": label}
        for score, label in zip(scores, predictions.labels.tolist(), strict=True)
    ]


def _array(values: list[Any], dtype: pd.StringDtype | np.dtype) -> Any:
    # Arrays and not Series, which cost ten times as much for one record.
    return pd.array(values, dtype=dtype) if isinstance(dtype, pd.StringDtype) else np.array(values, dtype)


def _json_value(value: Any, kind: str) -> Any:
    if pd.isna(value):
        return None
    if kind == DATETIME:
        return value.isoformat()
    return bool(value) if kind == BOOLEAN else value


def _details(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_context=False, include_input=False)


def _problem(details: ErrorDetails, *place: str | int) -> Problem:
    # Names of unknown fields come from outside and may be megabytes long.
    loc = tuple(part[:_LONGEST_NAME] if isinstance(part, str) else part for part in (*place, *details["loc"]))
    return Problem(loc=loc or ("body",), msg=_shorten(details["msg"].removeprefix("Value error, ")))


def _shorten(message: str) -> str:
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…"
