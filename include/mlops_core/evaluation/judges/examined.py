"""Sections that a judge may look at: one that is missing is an EvaluationError with the reason."""

import math
from typing import TypeVar

from mlops_core.document import Document
from mlops_core.errors import EvaluationError
from mlops_core.evaluation.judges.evidence import Evidence
from mlops_core.evaluation.sections import Part

_Section = TypeVar("_Section", bound=Document)


def examined(section: _Section | None, *, part: Part, evidence: Evidence) -> _Section:
    """Return the section if the part was examined."""
    if section is None:
        raise EvaluationError(f"{part} was not examined: {evidence.sections.why_unexamined(part)}")
    return section


def finite(value: float | None, *, what: str, least: float = -math.inf, most: float = math.inf) -> float:
    """Return the number if it is one, and lies where it must."""
    if value is None or not math.isfinite(value):
        raise EvaluationError(f"{what} is {value}; a gate needs a finite number")
    if not least <= value <= most:
        raise EvaluationError(f"{what} is {value:g}, outside [{least:g}, {most:g}]; evaluate again")
    return value
