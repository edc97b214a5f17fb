"""The documents of a training: what is asked of a train job, and what it answers."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints

from mlops_core.data.documents import SnapshotIdentity
from mlops_core.document import Document
from mlops_core.models.record import ModelRecord
from mlops_core.pipeline import Name, Partition
from mlops_core.search import Search
from mlops_core.training.tuning.documents import CrossValidation, TuningSummary

Seed = Annotated[int, Field(ge=0, lt=2**32)]
_NOT_OF_THE_MODEL = frozenset({"operation_key", "tracking_uri", "data_uri", "run_id", "reference"})
OperationKey = Annotated[str, StringConstraints(min_length=1, max_length=250)]


class SplitIdentity(Document):
    """Which partitions train and which are held out, in time order; the digest covers their rows too."""

    training_partitions: tuple[Partition, ...] = Field(min_length=1)
    holdout_partitions: tuple[Partition, ...] = Field(min_length=1)
    digest: str


class TrainJob(Document):
    """Everything that one fit needs, so that any process anywhere can run it.

    ``operation_key`` says what caused the job; a retry with the same key adopts the run of the first try.
    ``run_id`` names an MLflow run that was made for the job beforehand. ``search`` looks for more parameters,
    ``cross_validation`` counts folds, and both stay within the training partitions.
    """

    pipeline: Name
    reference: str = Field(description="Where the declaration is found: 'flight_delay.pipeline:PIPELINE'")
    candidate: Name
    snapshot: SnapshotIdentity
    split: SplitIdentity
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    search: Search | None = None
    cross_validation: int = Field(default=0, ge=0)
    seed: Seed = 0
    operation_key: OperationKey
    tracking_uri: str
    data_uri: str
    run_id: str | None = None

    @property
    def needs_folds(self) -> bool:
        """Whether the training rows are cut into folds."""
        return self.search is not None or self.cross_validation > 0

    def rehearsed(self) -> "TrainJob":
        """Return the job with two trials and two folds at most: enough to see that they run."""
        search = self.search and self.search.model_copy(
            update={"trials": min(2, self.search.trials), "folds": 2}
        )
        return self.model_copy(update={"search": search, "cross_validation": min(2, self.cross_validation)})

    def digest(self) -> str:
        """Sha256 of what decides the model: not of where services are, nor of what caused the job."""
        return document_digest(self.model_dump(mode="json"))


def document_digest(document: Mapping[str, JsonValue]) -> str:
    """Return the digest of a job's JSON, which another version of this library may have written."""
    content = {name: value for name, value in document.items() if name not in _NOT_OF_THE_MODEL}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class TrainResult(Document):
    """What a train job made."""

    candidate: Name
    run_id: str
    model: ModelRecord
    parameters: dict[str, JsonValue] = Field(description="With those that a search has chosen")
    rows: int = Field(gt=0, description="Labelled rows that were fitted")
    fit_seconds: float = Field(ge=0)
    training_metrics: dict[str, float] = Field(
        default_factory=dict, description="By metric; on the training rows, so they flatter the model"
    )
    tuning: TuningSummary | None = None
    cross_validation: CrossValidation | None = None


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
