"""Which function of the user's an error comes from, and at which line."""

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlops_core
from mlops_core.pipeline import Pipeline
from mlops_core.references import resolve

_LIBRARY = Path(mlops_core.__file__).resolve().parent


@dataclass(frozen=True)
class Culprit:
    """One place in the user's code."""

    function: str
    file: Path
    line: int
    source: str

    def __str__(self) -> str:
        place = self.file
        if place.is_relative_to(Path.cwd()):
            place = place.relative_to(Path.cwd())
        return f"{self.function} ({place}:{self.line}): {self.source}"


def find_culprit(error: BaseException, pipeline: Pipeline) -> Culprit | None:
    """Return the innermost place in the package of the pipeline's functions that an error passed through.

    Causes are searched first: the library may have translated what the user's function raised.
    """
    folders = tuple(_folders_of(pipeline))
    for link in reversed(tuple(_chain(error))):
        frames = traceback.extract_tb(link.__traceback__)
        for frame in reversed(frames):
            file = Path(frame.filename).resolve()
            if any(file.is_relative_to(folder) for folder in folders) and not file.is_relative_to(_LIBRARY):
                return Culprit(frame.name, file, frame.lineno or 0, frame.line or "")
    return None


def root_cause(error: BaseException) -> BaseException:
    """Return what was raised first."""
    return tuple(_chain(error))[-1]


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _folders_of(pipeline: Pipeline) -> Iterator[Path]:
    references = (
        pipeline.loader,
        pipeline.labels,
        pipeline.expectations,
        *(candidate.fit for candidate in pipeline.candidates),
    )
    for reference in references:
        if reference is not None:
            function = resolve(reference)
            code = getattr(function, "__code__", None)
            if code is not None:
                yield Path(code.co_filename).resolve().parent
