"""What the model server and its clients say to each other. Light: an Airflow task's client imports it."""

from typing import Any

from pydantic import Field

from mlops_core.document import Document
from mlops_core.models.problem import Problem
from mlops_core.registry.records import Digest, VersionRecord


class Refusal(Document):
    """The body of every answer that is not 200 to a request for predictions."""

    detail: tuple[Problem, ...]


class Prediction(Document):
    """One record's prediction.

    ``score`` is the probability of the positive class (binary), the probability by class (multiclass) or the
    predicted value (regression). ``label`` is the predicted class; for regression the value again.
    """

    score: float | dict[str, float]
    label: bool | int | float | str


class PredictionAnswer(Document):
    """The predictions of one request, in the records' order, all by one version."""

    model: str
    version: int
    digest: Digest
    predictions: tuple[Prediction, ...]


class VersionIdentity(Document):
    """Which version, by number and by the digest of its files."""

    version: int
    digest: Digest

    @classmethod
    def of(cls, record: VersionRecord) -> "VersionIdentity":
        """Return the identity of a registered version."""
        return cls(version=record.version, digest=record.digest)


class ModelStatus(Document):
    """What the ledger wants served for one model, and what is served.

    ``problem`` says why the two differ; None while nothing went wrong. ``problem_is_final`` tells that trying
    again gives the same answer (the files were tampered with, for example).
    """

    model: str
    wanted: VersionIdentity
    revision: int = Field(ge=1, description="Of the deployment that the ledger holds")
    serving: VersionIdentity | None
    problem: str | None = None
    problem_is_final: bool = False


class ReadyReport(Document):
    """Whether the server can answer for every deployed model, and how it stands with the ledger.

    A server that lost its ledger stays ready: it serves the last versions that it knew, and the staleness
    grows.
    """

    ready: bool
    ledger_staleness_s: float = Field(ge=0, description="Since the ledger was read last, or since the start")
    ledger_problem: str | None
    models: tuple[ModelStatus, ...]


class ModelDescription(Document):
    """A served model for people who write clients: its features' types and a record that it accepts."""

    model: str
    version: int
    digest: Digest
    task: str
    features: dict[str, str]
    example: dict[str, Any]
