"""What the data's steps hand to each other, as JSON documents. Light: imports nothing but pydantic."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from mlops_core.document import Document
from mlops_core.errors import BrokenExpectationError, DataRejectedError
from mlops_core.pipeline import Name, Partition

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Rows = Annotated[int, Field(ge=0)]
_SHOWN_OUTCOMES = 8


class SnapshotIdentity(Document):
    """One immutable version of a table. Everything downstream names it; nothing reads "latest".

    ``digest`` is over every partition's key, rows and file digest at that version, so two tables with the
    same data have the same digest.
    """

    table_uri: str
    version: int = Field(ge=0)
    digest: Sha256


class PartitionEntry(Document):
    """One partition of a snapshot; ``digest`` is the SHA-256 of its Parquet file."""

    partition: Partition
    rows: Rows
    digest: Sha256


class StagedPartition(Document):
    """A loaded partition that waits for validation, in a Parquet file named by its own digest."""

    pipeline: Name
    partition: Partition
    uri: str
    rows: Rows
    digest: Sha256


class PublishedPartition(Document):
    """A partition in a snapshot; ``adopted`` when the same content was there already."""

    pipeline: Name
    partition: Partition
    snapshot: SnapshotIdentity
    rows: Rows
    digest: Sha256
    adopted: bool


class ExpectationOutcome(Document):
    """What one expectation said about one partition.

    ``broken`` means that it could not be computed: it says nothing about the data, neither good nor bad.
    ``skipped`` means that its column is missing, which another outcome says.
    """

    expectation: str
    column: str | None
    severity: Literal["error", "warning"]
    status: Literal["passed", "failed", "broken", "skipped"]
    expected: str
    detail: str
    unexpected_rows: int | None = None
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        subject = f" of column {self.column!r}" if self.column else ""
        bound = f" ({self.expected})" if self.expected else ""
        return f"{self.expectation}{subject}{bound}: {self.detail or self.status}"


class ValidationResult(Document):
    """What validation said about a staged partition.

    ``success`` needs every expectation computed and none of severity error failed. ``report`` is the page's
    path in the report store; ``quarantine_uri`` the folder in which a refused partition is kept.
    """

    pipeline: Name
    partition: Partition
    digest: Sha256
    rows: Rows
    success: bool
    expectations: int = Field(ge=1)
    failures: tuple[ExpectationOutcome, ...]
    warnings: tuple[ExpectationOutcome, ...]
    broken: tuple[ExpectationOutcome, ...]
    report: str
    quarantine_uri: str | None

    def require_success(self) -> None:
        """Return if the partition may be published.

        Raises
        ------
        DataRejectedError
            If expectations failed; they are named with their numbers and where the rows are kept.
        BrokenExpectationError
            If none failed but some could not be computed.
        """
        if self.failures:
            raise DataRejectedError(
                f"{len(self.failures)} of {self.expectations} expectations refuse partition "
                f"{self.partition!r} of {self.pipeline!r} ({self.rows:,} rows): {_listed(self.failures)}. "
                f"The partition and its failed rows are kept in {self.quarantine_uri}; report: {self.report}"
            )
        if self.broken or not self.success:
            raise BrokenExpectationError(
                f"{len(self.broken)} of {self.expectations} expectations on partition {self.partition!r} of "
                f"{self.pipeline!r} could not be computed, so nothing is published: {_listed(self.broken)}. "
                f"Correct the expectation suite; report: {self.report}"
            )


def _listed(outcomes: tuple[ExpectationOutcome, ...]) -> str:
    shown = [str(outcome) for outcome in outcomes[:_SHOWN_OUTCOMES]]
    if len(outcomes) > _SHOWN_OUTCOMES:
        shown.append(f"and {len(outcomes) - _SHOWN_OUTCOMES} more")
    return "; ".join(shown)
