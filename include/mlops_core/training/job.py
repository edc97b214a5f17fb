"""The documents of a training: what is asked of a train job, and what it answers."""

import hashlib
import json
from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints

from mlops_core.data.documents import SnapshotIdentity
from mlops_core.document import Document
from mlops_core.models.record import ModelRecord
from mlops_core.pipeline import Name, Partition

Seed = Annotated[int, Field(ge=0, lt=2**32)]
OperationKey = Annotated[str, StringConstraints(min_length=1, max_length=250)]


class SplitIdentity(Document):
    """Which partitions train and which are held out, in time order; the digest covers their rows too."""

    training_partitions: tuple[Partition, ...] = Field(min_length=1)
    holdout_partitions: tuple[Partition, ...] = Field(min_length=1)
    digest: str


class TrainJob(Document):
    """Everything that one fit needs, so that any process anywhere can run it.

    ``operation_key`` says what caused the job; a retry with the same key adopts the run of the first try.
    ``run_id`` names an MLflow run that was made for the job beforehand.
    """

    pipeline: Name
    reference: str = Field(description="Where the declaration is found: 'flight_delay.pipeline:PIPELINE'")
    candidate: Name
    snapshot: SnapshotIdentity
    split: SplitIdentity
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    seed: Seed = 0
    operation_key: OperationKey
    tracking_uri: str
    data_uri: str
    run_id: str | None = None

    def digest(self) -> str:
        """Sha256 of what decides the model: not of where services are, nor of what caused the job."""
        content = self.model_dump(
            mode="json", exclude={"operation_key", "tracking_uri", "data_uri", "run_id", "reference"}
        )
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class TrainResult(Document):
    """What a train job made."""

    candidate: Name
    run_id: str
    model: ModelRecord
    parameters: dict[str, JsonValue]
    rows: int = Field(gt=0, description="Labelled rows that were fitted")
    fit_seconds: float = Field(ge=0)
    training_metrics: dict[str, float] = Field(
        default_factory=dict, description="By metric; on the training rows, so they flatter the model"
    )


class TrainingPlan(Document):
    """One training: the snapshot, the split, a job a candidate, and the champion that they must meet.

    ``champion`` is the registry's version record as JSON (None before the first), ``generation`` the ledger's
    when the plan was made.
    """

    pipeline: Name
    snapshot: SnapshotIdentity
    split: SplitIdentity
    jobs: tuple[TrainJob, ...] = Field(min_length=1)
    champion: dict[str, JsonValue] | None = None
    generation: int = Field(default=0, ge=0)
    reason: str = ""
