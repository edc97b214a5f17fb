"""Documents that people write, and the words that tell them what they wrote wrongly."""

import difflib
import typing
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mlops_core.document import Document
from mlops_core.errors import DeclarationError

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    # pydantic gives its metaclass no public name.
    ModelMetaclass = type(BaseModel)

_Declared = TypeVar("_Declared")
_LONGEST_VALUE = 120
# What pydantic adds to a place inside a free JSON value: which part of a pair, or which type it tried.
_NO_PLACES = {"[key]", "float", "int", "str", "bool", "list", "dict"}


class _ExplainedErrors(ModelMetaclass):
    """Turn pydantic's errors into ours where a person makes a declaration.

    Only the call is translated: validation inside a larger declaration goes on as usual, so that all mistakes
    are gathered and each keeps its place, such as ``gates.0.minimum``.
    """

    def __call__(cls: type[_Declared], *arguments: Any, **fields: Any) -> _Declared:  # noqa: N805  a metaclass
        try:
            return super().__call__(*arguments, **fields)  # type: ignore[misc,no-any-return]  # type.__call__
        except ValidationError as error:
            raise DeclarationError(_explain(cls, fields.get("name"), error)) from error


class Declaration(Document, metaclass=_ExplainedErrors):
    """A document that a person writes. A mistake raises DeclarationError: field, value, what is allowed."""


def _explain(declared: type, name: object, error: ValidationError) -> str:
    title = declared.__name__ if name is None else f"{declared.__name__} {name!r}"
    problems = error.errors()
    lines = [_line(declared, problem) for problem in problems if not _follows_from(problem, problems)]
    return f"{title} is declared wrongly:\n  " + "\n  ".join(lines)


def _follows_from(problem: ErrorDetails, others: Iterable[ErrorDetails]) -> bool:
    """Whether a list is called too short only because its items were refused."""
    place = problem["loc"]
    return problem["type"] == "too_short" and any(
        len(other["loc"]) > len(place) and other["loc"][: len(place)] == place for other in others
    )


def _line(declared: type, problem: ErrorDetails) -> str:
    place, allowed = _locate([declared], problem["loc"])
    if not place:
        # A check across fields names them itself.
        return _reason(problem, place=place, allowed=allowed)
    value = "" if problem["type"] == "missing" else f" (got {_shortened(problem['input'])})"
    return f"{place}: {_reason(problem, place=place, allowed=allowed)}{value}"


def _reason(problem: ErrorDetails, *, place: str, allowed: Sequence[str]) -> str:
    context = problem.get("ctx", {})
    reason = problem["msg"].removeprefix("Value error, ").replace("Input should be", "it should be", 1)
    match problem["type"]:
        case "missing":
            reason = "it is missing and has no default"
        case "extra_forbidden":
            meant = difflib.get_close_matches(place.rpartition(".")[2], allowed, n=1)
            hint = f", did you mean {meant[0]!r}" if meant else ""
            reason = f"no such field{hint}; fields: {', '.join(sorted(allowed))}"
        case "too_short":
            reason = f"give at least {context['min_length']}"
        case "tuple_type" | "frozen_set_type":
            reason = "give a list"
        case "string_pattern_mismatch":
            reason = PATTERN_WORDS.get(context["pattern"], reason)
        case "union_tag_not_found" | "union_tag_invalid":
            kinds = context.get("expected_tags") or ", ".join(map(repr, allowed))
            reason = f"its {context['discriminator']} must be one of {kinds}"
    return reason


PATTERN_WORDS: dict[str, str] = {}
"""What a pattern asks for, in words. A module that declares a pattern adds them."""


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def _locate(models: Sequence[type], location: Sequence[int | str]) -> tuple[str, list[str]]:
    """Return the place in words, and the names that are allowed there: of kinds, or of fields."""
    path: list[str] = []
    for depth, part in enumerate(location):
        holders = _models_at(models, location[:depth])
        # pydantic also names the kind it chose, which is no part of what was written.
        if not any(_is_kind(holder, part) for holder in holders) and (holders or part not in _NO_PLACES):
            path.append(str(part))
    here = _models_at(models, location)
    if len(here) > 1:
        return ".".join(path), [model.model_fields["kind"].default for model in here]
    allowed = [name for model in _models_at(models, location[:-1]) for name in model.model_fields]
    return ".".join(path), allowed


def _models_at(models: Sequence[type], location: Sequence[int | str]) -> list[type[BaseModel]]:
    found = [model for model in models if issubclass(model, BaseModel)]
    for part in location:
        if isinstance(part, int):
            continue
        chosen = [model for model in found if _is_kind(model, part)]
        annotations = [model.model_fields[part].annotation for model in found if part in model.model_fields]
        found = chosen or [model for annotation in annotations for model in _models_in(annotation)]
    return found


def _is_kind(model: type[BaseModel], part: int | str) -> bool:
    kind = model.model_fields.get("kind")
    return kind is not None and kind.default == part


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in typing.get_args(annotation) for model in _models_in(argument)]
