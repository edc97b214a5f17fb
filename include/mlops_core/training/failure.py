"""Why a train job has failed, as a document: its process may run far from who must be told."""

import logging
from pathlib import Path

from pydantic import ValidationError

from mlops_core import errors
from mlops_core.document import Document
from mlops_core.errors import ContainerFailedError, MlopsError

log = logging.getLogger(__name__)


class Failure(Document):
    """An error of the library: the name of its class, and its words."""

    error: str
    message: str


def error_file(result: Path) -> Path:
    """Return where the error goes that a job has instead of a result."""
    return result.with_suffix(".error.json")


def failure_of(error: MlopsError) -> Failure:
    """Return an error as a document."""
    return Failure(error=type(error).__name__, message=str(error))


def read_error(content: bytes) -> MlopsError | None:
    """Return the error of a document; of a class that this version does not know, only the words.

    None if it is no such document: a process may be killed while it writes one.
    """
    try:
        failure = Failure.model_validate_json(content)
    except ValidationError:
        log.warning("%d bytes that should say why the job has failed are no such document", len(content))
        return None
    kind = getattr(errors, failure.error, None)
    if isinstance(kind, type) and issubclass(kind, MlopsError):
        return kind(failure.message)
    return ContainerFailedError(f"{failure.error}: {failure.message}")
