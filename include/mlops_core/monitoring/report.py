"""What the monitor found in one window, as documents that cross processes."""

import hashlib
import json
from enum import StrEnum
from typing import Literal

from pydantic import Field

from mlops_core.data.snapshots import SnapshotIdentity
from mlops_core.document import Document

Signal = Literal["data_drift", "prediction_drift", "performance"]
"""What a retraining policy may listen to."""


class Verdict(StrEnum):
    """Whether a window differs from the reference. That nothing can be said is an answer of its own."""

    DRIFT = "drift"
    NO_DRIFT = "no drift"
    INSUFFICIENT_DATA = "insufficient data"


class PerformanceVerdict(StrEnum):
    """Whether a model does worse on a window than on its reference."""

    LOSS = "loss"
    NO_LOSS = "no loss"
    INSUFFICIENT_DATA = "insufficient data"


class FindingKind(StrEnum):
    """Everything that a finding can be about."""

    DISTRIBUTION = "distribution"
    MISSING_VALUES = "missing_values"
    NEW_CATEGORY = "new_category"
    CONSTANT = "constant"
    ALL_NULL = "all_null"
    MISSING_COLUMN = "missing_column"
    RETYPED_COLUMN = "retyped_column"
    UNCOMPARABLE = "uncomparable"
    TOO_FEW_ROWS = "too_few_rows"
    ZERO_ROWS = "zero_rows"
    SCORED_OTHERWISE = "scored_otherwise"
    AMBIGUOUS_LABELS = "ambiguous_labels"
    PERFORMANCE_LOSS = "performance_loss"


class Finding(Document):
    """One thing that a person should know, in a sentence with its numbers."""

    kind: FindingKind
    column: str | None = None
    message: str


class Measure(Document):
    """One statistic of a column, and the value that chance exceeds too rarely to be the explanation."""

    name: str
    value: float = Field(ge=0, le=1)
    threshold: float = Field(ge=0, le=1)
    p_value: float = Field(gt=0, le=1, description="By resampling, of this test alone")

    @property
    def exceeds(self) -> bool:
        """Whether the value lies above the threshold."""
        return self.value > self.threshold


class FeatureDrift(Document):
    """One column of a window against the reference: a feature, or a score of the model."""

    name: str
    verdict: Verdict
    distance: float | None = Field(default=None, ge=0, le=1, description="Total variation of the bins")
    measures: tuple[Measure, ...] = ()
    adjusted_p_value: float | None = Field(
        default=None, gt=0, le=1, description="Of such a difference in any column of a window without drift"
    )
    missing_share: float | None = Field(default=None, ge=0, le=1)
    reference_missing_share: float = Field(ge=0, le=1)
    findings: tuple[Finding, ...] = ()


class DriftSummary(Document):
    """The verdict over several columns, and why."""

    verdict: Verdict
    reason: str
    columns: tuple[FeatureDrift, ...]
    findings: tuple[Finding, ...] = Field(default=(), description="Of the window as a whole")

    @property
    def drifted(self) -> tuple[str, ...]:
        """The names of the columns that drifted."""
        return tuple(column.name for column in self.columns if column.verdict is Verdict.DRIFT)


class PerformanceReport(Document):
    """The primary metric on the rows whose label is known, against the reference's."""

    verdict: PerformanceVerdict
    reason: str
    metric: str
    reference: float | None = None
    value: float | None = None
    lower: float | None = None
    upper: float | None = None
    scored_rows: int = Field(ge=0)
    labelled_rows: int = Field(ge=0)
    coverage: float = Field(ge=0, le=1, description="Share of the scored rows whose label is known")
    findings: tuple[Finding, ...] = ()


class MonitorReport(Document):
    """One window of one model version against its reference profile.

    Nothing in it depends on the clock or on where pages are kept, so the same version and the same rows give
    the same digest.
    """

    pipeline: str
    partition: str
    version: int
    run_id: str
    model_digest: str
    profile_digest: str
    snapshot: SnapshotIdentity
    predictions: SnapshotIdentity
    rows: int = Field(ge=0)
    reference_rows: int = Field(ge=0)
    false_alarm_rate: float = Field(description="Of a whole window without drift")
    minimum_effect: float = Field(description="Total variation distance worth a finding")
    data_drift: DriftSummary
    prediction_drift: DriftSummary
    performance: PerformanceReport
    page: str = Field(description="Path of the readable page, relative to the reports' folder")
    evidently: str | None = Field(default=None, description="Path of Evidently's page, if it could be made")

    @property
    def signals(self) -> frozenset[Signal]:
        """What was found, in the words of a retraining policy."""
        found: dict[Signal, bool] = {
            "data_drift": self.data_drift.verdict is Verdict.DRIFT,
            "prediction_drift": self.prediction_drift.verdict is Verdict.DRIFT,
            "performance": self.performance.verdict is PerformanceVerdict.LOSS,
        }
        return frozenset(signal for signal, is_found in found.items() if is_found)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding, of the window first and then by column."""
        drifts = (self.data_drift, self.prediction_drift)
        return (
            *(finding for drift in drifts for finding in drift.findings),
            *self.performance.findings,
            *(finding for drift in drifts for column in drift.columns for finding in column.findings),
        )

    def digest(self) -> str:
        """Return the SHA-256 of the canonical JSON, without the paths of the pages."""
        content = self.model_dump(mode="json", exclude={"page", "evidently"})
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()
