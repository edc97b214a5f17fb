"""What stands beside every row of the ledger: who decided, when and why."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from mlops_core.errors import DeclarationError
from mlops_core.registry.records import LONGEST_OPERATION_KEY


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Who or what decided, when, why, and the key under which the effect happens once."""

    operation_key: str
    actor: str
    at: datetime
    reason: str = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.operation_key) <= LONGEST_OPERATION_KEY:
            raise DeclarationError(
                f"an operation key has 1 to {LONGEST_OPERATION_KEY} characters; got {len(self.operation_key)}"
            )
        if not self.actor:
            raise DeclarationError("actor is empty; name the person or the task that decides")

    def require_reason(self, asked: str) -> None:
        """Refuse a decision that nobody explains.

        Raises
        ------
        DeclarationError
            If the reason is empty or blank.
        """
        if not self.reason.strip():
            raise DeclarationError(f"cannot {asked}: the reason is empty; say why")

    def approved(self, *, by: str, reason: str) -> Self:
        """Return the same cause, saying who approved and why."""
        own = f"; {self.reason}" if self.reason else ""
        return replace(self, reason=f"approved by {by}: {reason}{own}")
