"""What every part of the ledger stands on: one database, a clock, and who causes what."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Self, TypeVar

from pydantic import ValidationError
from sqlalchemy.orm import Session

from mlops_core.document import Document
from mlops_core.errors import DeclarationError
from mlops_core.registry.cause import Cause
from mlops_core.registry.database import Database
from mlops_core.registry.records import in_utc

_DocumentT = TypeVar("_DocumentT", bound=Document)


def utc_now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


class Transactions:
    """Transactions on the ledger at a URL."""

    def __init__(self, url: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = Database(url)
        self._clock = clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of this process; the next call opens new ones."""
        self._database.close()

    def reading(self) -> AbstractContextManager[Session]:
        """Open a transaction that sees one consistent state, for readers of this room."""
        return self._database.reading()

    def require_present(self) -> None:
        """Check that there is a ledger to read, for a reader that must not make one.

        Raises
        ------
        LedgerUnavailableError
            If the URL names a SQLite file that is not there.
        """
        self._database.require_present()

    def _cause(self, operation_key: str, actor: str, reason: str = "") -> Cause:
        return Cause(operation_key=operation_key, actor=actor, reason=reason, at=aware(self._clock()))


def aware(instant: datetime) -> datetime:
    """Return the instant in UTC.

    Raises
    ------
    DeclarationError
        If it names no time zone.
    """
    try:
        return in_utc(instant)
    except ValueError as error:
        raise DeclarationError(str(error)) from error


def declare(document: type[_DocumentT], **fields: object) -> _DocumentT:
    """Make a document of what a caller gave.

    Raises
    ------
    DeclarationError
        If it is none.
    """
    try:
        return document.model_validate(fields)
    except ValidationError as error:
        raise DeclarationError(f"not a {document.__name__}: {error}") from error
