"""An error goes through a document and comes back as what it was."""

import inspect
from pathlib import Path

import pytest

from mlops_core import errors
from mlops_core.errors import ContainerFailedError, InvalidRecordsError, MlopsError
from mlops_core.training.failure import error_file, failure_of, read_error

TREE = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, MlopsError) and kind.__module__ == errors.__name__
]


def through_the_document(error: MlopsError) -> MlopsError | None:
    return read_error(failure_of(error).model_dump_json().encode())


@pytest.mark.parametrize("kind", TREE)
def test_every_error_comes_back_with_its_class_and_words(kind: type[MlopsError]) -> None:
    returned = through_the_document(kind("the loss is nan; lower 'learning_rate' \n ½"))

    assert type(returned) is kind
    assert str(returned) == "the loss is nan; lower 'learning_rate' \n ½"


def test_the_tree_is_all_there() -> None:
    assert len(TREE) > 30
    assert {MlopsError, ContainerFailedError, InvalidRecordsError} <= set(TREE)


def test_an_exit_code_belongs_to_the_process_and_stays_behind() -> None:
    returned = through_the_document(ContainerFailedError("it ended with 7", exit_code=7))

    assert isinstance(returned, ContainerFailedError)
    assert (str(returned), returned.exit_code) == ("it ended with 7", None)


def test_several_problems_come_back_as_their_words() -> None:
    returned = through_the_document(InvalidRecordsError("0/a: missing", "1/b: no number"))

    assert type(returned) is InvalidRecordsError
    assert str(returned) == "0/a: missing; 1/b: no number"


@pytest.mark.parametrize("name", ["FutureError", "ValueError", "MlopsError.__init__", "annotations", ""])
def test_what_is_no_error_of_this_version_keeps_its_name_and_words(name: str) -> None:
    content = failure_of(MlopsError("too late")).model_copy(update={"error": name}).model_dump_json()

    returned = read_error(content.encode())

    assert type(returned) is ContainerFailedError
    assert str(returned) == f"{name}: too late"


@pytest.mark.parametrize("content", [b"", b'{"error": "Evalu', b"{}", b"[]", b"\xff\xfe", b"Killed"])
def test_what_is_no_such_document_is_no_error(content: bytes) -> None:
    assert read_error(content) is None


def test_the_document_lies_beside_the_result() -> None:
    assert error_file(Path("out/result.json")) == Path("out/result.error.json")
