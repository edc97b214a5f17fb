"""What the ledger holds, as documents that cross processes."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, JsonValue, StringConstraints

from mlops_core.document import Document
from mlops_core.names import Name
from mlops_core.policies import Risk
from mlops_core.signing import Signature

LONGEST_OPERATION_KEY = 250

Digest = Annotated[str, StringConstraints(min_length=1, max_length=128)]
UtcInstant = Annotated[AwareDatetime, AfterValidator(lambda instant: instant.astimezone(UTC))]
"""A moment that names its time zone, kept in UTC."""
OperationKey = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_OPERATION_KEY)]


class VersionRecord(Document):
    """One registered version: MLflow's number for it, its files' digest, and the signature that vouches."""

    model: Name
    version: int = Field(ge=1, description="MLflow's number of the version")
    digest: Digest = Field(description="Of the stored model's files")
    uri: str = Field(min_length=1, description="What can be downloaded, for example models:/m-...")
    run_id: str = Field(min_length=1)
    evidence_digest: Digest | None = Field(
        default=None, description="Of the evaluation report that passed; None cannot be promoted"
    )
    signature: Signature | None = Field(
        default=None, description="Over what ``statement_of`` says; an unsigned version is never loaded"
    )


class Transition(Document):
    """One move of a model's production: the generation that it began, and who or what decided."""

    id: int
    model: Name
    generation: int = Field(ge=1)
    kind: Literal["promote", "roll_back", "adopt"]
    version: int
    previous_version: int | None
    digest: Digest
    evidence_digest: Digest
    actor: str
    reason: str
    operation_key: str
    at: UtcInstant


class ApprovalRequest(Document):
    """A decision that waits for a person, and the task that asks for it."""

    model: Name
    version: int = Field(ge=1)
    generation: int = Field(ge=0, description="The ledger's when the version was judged")
    evidence_digest: Digest
    risk: Risk
    approvers: tuple[str, ...] = ()
    requested_by: str = Field(min_length=1, description="Who caused the training")
    dag_id: str
    run_id: str
    task_id: str
    operation_key: OperationKey
    at: UtcInstant
    expires_at: UtcInstant


class Approval(Document):
    """A person's decision, bound to the version, its evidence and the generation it was judged against."""

    model: Name
    version: int = Field(ge=1)
    generation: int = Field(ge=0)
    evidence_digest: Digest
    verdict: Literal["approve", "reject"]
    actor: str
    reason: str
    operation_key: OperationKey
    at: UtcInstant


class PipelineRecord(Document):
    """What the fleet's pages say of a declared pipeline."""

    name: Name
    owner: str
    risk: Risk
    description: str = ""
    reference: str = Field(description="Where the declaration is found")
    at: UtcInstant


class EvaluationRecord(Document):
    """One evaluation: which report, on which held-out rows, and how its gates decided."""

    model: Name
    run_id: str = Field(min_length=1, description="The challenger's, which holds the report")
    evidence_digest: Digest
    rows_digest: Digest
    candidate: Name
    passed: bool
    page: str = Field(description="Of the report, relative to the report store")
    dag_id: str = Field(description="Who may read this DAG may read the page")
    operation_key: OperationKey
    at: UtcInstant


class LedgerEvent(Document):
    """One entry of the audit trail. Its hash covers its content and the hash before it."""

    sequence: int = Field(ge=1, description="Of the model, without gaps")
    model: Name
    kind: Literal["register", "approve", "reject", "promote", "roll_back", "adopt", "retire", "deploy"]
    version: int = Field(ge=1)
    generation: int = Field(ge=0, description="The ledger's after it")
    digest: Digest = Field(description="Of the version's files")
    evidence_digest: Digest | None
    actor: str
    reason: str
    operation_key: OperationKey
    at: UtcInstant
    former_hash: str
    hash: str


class Retirement(Document):
    """A version taken out of use for good; its record stays."""

    model: Name
    version: int = Field(ge=1)
    archive: str = Field(description="Where its files and card are kept; empty if retention kept none")
    archive_digest: str
    actor: str
    reason: str
    operation_key: OperationKey
    at: UtcInstant


class LedgerState(Document):
    """Where a model stands now. Generation 0: nothing was ever in production."""

    model: str
    generation: int = Field(ge=0)
    champion: VersionRecord | None
    challenger: VersionRecord | None


class Aliases(Document):
    """The versions that MLflow's aliases should name."""

    champion: int | None
    challenger: int | None


class Deployment(Document):
    """What the model server must serve for one model."""

    model: Name
    version: VersionRecord
    share: float = Field(default=1.0, gt=0, le=1, description="Of the model's traffic")
    generation: int = Field(ge=1, description="The ledger's, when it was deployed")
    revision: int = Field(ge=1, description="Grows by one with each deployment of the model")
    operation_key: str
    actor: str
    at: UtcInstant


class TrainingRecord(Document):
    """One training that was attempted."""

    model: Name
    snapshot_digest: Digest
    partitions: tuple[str, ...]
    operation_key: OperationKey
    requested_by: str = Field(min_length=1)
    at: UtcInstant


class DecisionRecord(Document):
    """One answer of the retraining policy."""

    model: Name
    window: str
    decision: dict[str, JsonValue]
    operation_key: OperationKey
    at: UtcInstant


def in_utc(instant: datetime) -> datetime:
    """Return the instant in UTC.

    Raises
    ------
    ValueError
        If it names no time zone.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} names no time zone; give one, for example datetime.now(UTC)")
    return instant.astimezone(UTC)
