"""What lineage says, both ways. Every document is read from records that others made; nothing is written."""

from typing import Literal

from pydantic import Field

from mlops_core.data.documents import Sha256, SnapshotIdentity
from mlops_core.document import Document
from mlops_core.names import Name, Partition
from mlops_core.registry.records import Retirement, UtcInstant, VersionRecord
from mlops_core.training.environment import CodeVersion

Use = Literal["training", "holdout"]


class PartitionUse(Document):
    """One partition that a training was given; rows and digest are None where its snapshot cannot be read."""

    partition: Partition
    use: Use
    rows: int | None = None
    digest: Sha256 | None = Field(default=None, description="Of the partition's file")


class Origin(Document):
    """The tracked run that made a model, and what it was given."""

    run_id: str
    candidate: Name
    caused_by: str = Field(description="Operation key of the train job")
    snapshot: SnapshotIdentity
    split_digest: str
    partitions: tuple[PartitionUse, ...] = Field(description="In the split's order, training first")
    code: CodeVersion | None

    def use_of(self, partition: str) -> PartitionUse | None:
        """Return how a partition was used, None if it was not."""
        return next((one for one in self.partitions if one.partition == partition), None)


class Period(Document):
    """From when, until when (None: it holds now), and who began it."""

    since: UtcInstant
    until: UtcInstant | None
    actor: str


class Scoring(Document):
    """One table of predictions of one partition, and the version that its rows name.

    ``replaced`` when the partition was scored again since: the table's newest version holds other rows.
    """

    partition: Partition
    version: int
    model_digest: str
    rows: int
    predictions: SnapshotIdentity
    at: UtcInstant
    replaced: bool


class VersionLineage(Document):
    """Upstream and downstream of one version: snapshot → run → version → deployments → predictions.

    ``gaps`` says what could not be read, and why.
    """

    version: VersionRecord
    origin: Origin | None
    production: tuple[Period, ...] = ()
    deployments: tuple[Period, ...] = ()
    predictions: tuple[Scoring, ...] = ()
    retirement: Retirement | None = None
    gaps: tuple[str, ...] = ()


class PartitionContent(Document):
    """What a partition held, from one version of the snapshot up to (not including) another."""

    rows: int
    digest: Sha256
    since: SnapshotIdentity
    until_version: int | None = Field(description="None: the newest snapshot holds it")
    at: UtcInstant


class VersionUse(Document):
    """A version that was given a partition; the digest says which content, None where that is not known."""

    version: int
    run_id: str
    snapshot_version: int
    digest: Sha256 | None


class PartitionLineage(Document):
    """What one partition held, which versions were trained on it or judged on it, and which scored it.

    A scoring names no content: the table of predictions records the version alone.
    """

    model: Name
    partition: Partition
    contents: tuple[PartitionContent, ...] = ()
    trained: tuple[VersionUse, ...] = ()
    held_out: tuple[VersionUse, ...] = ()
    scored: tuple[Scoring, ...] = ()
    gaps: tuple[str, ...] = ()
