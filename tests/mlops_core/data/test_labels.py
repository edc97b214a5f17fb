import sys
from types import ModuleType
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import toy_models
from mlops_core.data.labels import Labels, known_labels
from mlops_core.errors import DeclarationError
from mlops_core.pipeline import Pipeline

ROWS = pa.table({"id": ["a", "b", "c"], "positive": [True, None, False]})


@pytest.fixture
def by_function(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A pipeline whose labels are what a test returns."""

    def declare(returned: object) -> Pipeline:
        module = ModuleType("labels_of_ones_own")
        module.load = lambda partition: returned if partition == "2013-07" else None
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return toy_models.BINARY.model_copy(update={"labels": "labels_of_ones_own:load"})

    return declare


def labels(pipeline: Pipeline, rows: pa.Table = ROWS) -> Labels:
    return known_labels(pipeline, partition="2013-07", rows=rows)


def test_without_a_function_the_rows_own_target_is_the_label() -> None:
    found = labels(toy_models.BINARY)

    assert found.values.to_dict() == {"a": True, "c": False}
    assert found.ambiguous == 0


def test_without_a_key_rows_are_numbered() -> None:
    assert labels(toy_models.BINARY.model_copy(update={"key": None})).values.to_dict() == {0: True, 2: False}


def test_rows_without_the_target_have_no_label() -> None:
    assert labels(toy_models.BINARY, ROWS.drop_columns(["positive"])).values.empty


@pytest.mark.parametrize("as_frame", [True, False])
def test_a_function_is_asked_for_the_partition(by_function: Any, as_frame: bool) -> None:
    returned = pa.table({"id": ["b", "a"], "positive": [True, False]})

    found = labels(by_function(returned.to_pandas() if as_frame else returned))

    assert found.values.to_dict() == {"b": True, "a": False}


def test_a_key_with_labels_that_differ_has_none(by_function: Any) -> None:
    twice = pd.DataFrame({"id": ["a", "a", "b", "b"], "positive": [True, False, True, True]})

    found = labels(by_function(twice))

    assert found.values.to_dict() == {"b": True}
    assert found.ambiguous == 1


@pytest.mark.parametrize("returned", [pd.DataFrame({"id": ["a"]}), {"id": ["a"]}, None])
def test_a_function_that_returns_no_labels_is_told_what_is_needed(by_function: Any, returned: Any) -> None:
    with pytest.raises(DeclarationError, match="it must return 'id' and 'positive'"):
        labels(by_function(returned))
