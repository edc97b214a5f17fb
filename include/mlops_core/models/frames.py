"""The rows that go into a model: which types its columns have, and how any frame is brought to them.

A column's pandas type depends on the rows at hand: integers with a gap arrive as floats, booleans with a gap
as objects, a column without any value as anything. A model is fitted and asked in four types alone, so that
training, evaluation, batch scoring and one JSON record look the same to it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mlops_core.errors import DataRejectedError, DeclarationError

DOUBLE = "double"
STRING = "string"
BOOLEAN = "boolean"
DATETIME = "datetime"

_TEXT = pd.StringDtype(na_value=np.nan)
_INSTANT = np.dtype("datetime64[us]")
# Booleans become floats, because a boolean column of pandas has no place for a missing value.
_MODEL_DTYPES: dict[str, Any] = {
    DOUBLE: np.dtype("float64"),
    STRING: _TEXT,
    BOOLEAN: np.dtype("float64"),
    DATETIME: _INSTANT,
}
_INFERRED = {
    "string": STRING,
    "boolean": BOOLEAN,
    "integer": DOUBLE,
    "floating": DOUBLE,
    "mixed-integer-float": DOUBLE,
    "decimal": DOUBLE,
    "date": DATETIME,
    "datetime": DATETIME,
    "datetime64": DATETIME,
}


def feature_types(frame: pd.DataFrame) -> dict[str, str]:
    """Return the type of each column by name, in the frame's order.

    Returns
    -------
    MLflow's names: ``double`` for every number, ``string``, ``boolean`` or ``datetime``.

    Raises
    ------
    DeclarationError
        If a column holds something else, or no value from which its type could be told.
    """
    return {str(name): _type_of(frame[name]) for name in frame.columns}


def conform(frame: pd.DataFrame, features: Mapping[str, str]) -> pd.DataFrame:
    """Bring a frame to the columns, the order and the types that a model was fitted on.

    Parameters
    ----------
    frame
        Columns are found by name; those that are no features are left out.
    features
        Type by column name, as ``feature_types`` gives them.

    Returns
    -------
    A new frame; the argument is left as it is.

    Raises
    ------
    DataRejectedError
        If a column is missing or its values are not of its type.
    """
    missing = [name for name in features if name not in frame.columns]
    if missing:
        raise DataRejectedError(
            f"rows lack the features {', '.join(missing)}; the model needs {', '.join(features)}"
        )
    if not frame.columns.is_unique:
        raise DataRejectedError("rows have two columns of one name; name each column once")
    # Arrays and not Series, which pandas would align with the index one by one.
    columns = {name: _column(frame[name], kind).array for name, kind in features.items()}
    return pd.DataFrame(columns, index=frame.index, copy=False)


def _type_of(column: pd.Series) -> str:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = dtype.categories.dtype
        column = pd.Series(column.cat.categories)
    if pd.api.types.is_bool_dtype(dtype):
        return BOOLEAN
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        return DOUBLE
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return DATETIME
    if isinstance(dtype, pd.StringDtype):
        return STRING
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind not in _INFERRED:
        raise DeclarationError(
            f"column {column.name!r} holds {kind} values, which are no feature; a feature is a number, "
            "a string, a boolean or a datetime: leave it out with `features`, or convert it in the loader"
        )
    return _INFERRED[kind]


def _column(column: pd.Series, kind: str) -> pd.Series:
    if column.dtype == _MODEL_DTYPES[kind] and kind != BOOLEAN:
        return column
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(column.cat.categories.dtype)
    if column.dtype == object and column.isna().all():
        empty: pd.Series = pd.Series(None, index=column.index, dtype=_MODEL_DTYPES[kind])
        return empty
    try:
        return _converted(column, kind)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise DataRejectedError(
            f"column {column.name!r} has {column.dtype} values that are no {kind}: {str(error)[:200]}"
        ) from error


def _converted(column: pd.Series, kind: str) -> pd.Series:
    if kind == STRING:
        if column.notna().any() and pd.api.types.infer_dtype(column, skipna=True) != "string":
            raise TypeError("expected text")
        text: pd.Series = column.astype(_TEXT)
        return text
    if kind == DATETIME:
        # Numbers would be read as nanoseconds since 1970, which nobody means.
        if pd.api.types.is_numeric_dtype(column.dtype) and column.notna().any():
            raise TypeError("expected dates or times, got numbers")
        return pd.to_datetime(column, utc=True).dt.tz_localize(None).astype(_INSTANT)
    if pd.api.types.infer_dtype(column, skipna=True) in {"string", "mixed"}:
        raise TypeError("expected numbers, got text")
    numbers = pd.to_numeric(column).astype("float64")
    if kind == BOOLEAN:
        values = numbers.to_numpy()
        if not ((values == 0) | (values == 1) | np.isnan(values)).all():
            raise ValueError("expected true or false")
    return numbers
