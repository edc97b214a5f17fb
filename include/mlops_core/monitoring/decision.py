"""The retraining policy's answer, as a document that crosses processes."""

from enum import StrEnum

from pydantic import Field

from mlops_core.document import Document
from mlops_core.monitoring.report import Signal
from mlops_core.registry.records import UtcInstant


class Answer(StrEnum):
    """What the policy says. ``wait`` may change with time or data; ``refuse`` will not for these data."""

    RETRAIN = "retrain"
    WAIT = "wait"
    REFUSE = "refuse"


class RetrainingDecision(Document):
    """Whether to train again after one window, and why."""

    pipeline: str
    window: str
    answer: Answer
    reasons: tuple[str, ...]
    signals: tuple[Signal, ...]
    version: int
    model_digest: str
    snapshot_digest: str
    report_digest: str
    operation_key: str
    decided_at: UtcInstant
    page: str = Field(default="", description="Of the monitor's report, relative to the report store")
    evidently: str | None = Field(default=None, description="Of Evidently's report, if it could be made")
