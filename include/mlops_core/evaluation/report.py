"""The evaluation report: the evidence that gates, registration and promotion refer to by its digest."""

import hashlib
import json

from pydantic import Field

from mlops_core.data.documents import SnapshotIdentity
from mlops_core.document import Document
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.scores import Comparison, Difference, MissingScore, Score
from mlops_core.evaluation.sections import Sections
from mlops_core.models.record import ModelRecord
from mlops_core.policies import Risk
from mlops_core.training.job import SplitIdentity

__all__ = [
    "CalibrationBin",
    "CandidateEvaluation",
    "ChampionEvaluation",
    "Comparison",
    "ConfusionMatrix",
    "Difference",
    "EvaluationReport",
    "GateVerdict",
    "MissingScore",
    "ModelEvaluation",
    "Score",
]


class ConfusionMatrix(Document):
    """Rows counted by true class (outer) and predicted class (inner), in the order of ``classes``.

    Rare classes beyond the page's width are counted together under the last name.
    """

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class CalibrationBin(Document):
    """Rows of similar prediction: what the model said on average, and what was observed."""

    lower: float
    upper: float
    rows: int
    predicted: float
    observed: float


class ModelEvaluation(Document):
    """One stored model on the held-out rows."""

    model: ModelRecord
    rows_digest: str = Field(description="Of the rows as this model was given them")
    scores: tuple[Score, ...]
    missing: tuple[MissingScore, ...] = ()
    confusion_matrix: ConfusionMatrix | None = None
    calibration: tuple[CalibrationBin, ...] = ()

    def score(self, metric: str) -> Score | None:
        """Return the score of that metric if the model has one."""
        return next((score for score in self.scores if score.metric == metric), None)

    def why_missing(self, metric: str) -> str:
        """Say why there is no score of that metric."""
        reasons = (absent.reason for absent in self.missing if absent.metric == metric)
        return next(reasons, "it was never computed")


class CandidateEvaluation(ModelEvaluation):
    """One candidate of this training."""

    candidate: str
    run_id: str


class ChampionEvaluation(ModelEvaluation):
    """The version in production, scored again on the same rows."""

    version: int


class GateVerdict(Document):
    """One gate's answer, in numbers and in a sentence.

    ``value`` is what was compared with ``bound``: the point value for an absolute gate, the lower confidence
    limit of the improvement for a champion gate. It is None when there was nothing to compare.
    """

    gate: str
    metric: str = Field(description="What was judged: a metric, or another quantity such as latency_p95_ms")
    kind: str
    passed: bool
    value: float | None = None
    bound: float | None = None
    reason: str
    evidence: str = Field(default="", description="Where in the report the number stands")


class EvaluationReport(Document):
    """Every candidate and the champion on the same held-out rows, and what each gate says of the best one.

    Nothing in it depends on the clock but the times in ``sections.serving``: without them the same models on
    the same rows give the same digest.
    """

    pipeline: str
    task: Task
    snapshot: SnapshotIdentity
    split: SplitIdentity
    holdout_rows: int = Field(ge=0, description="Rows that were scored; rows without a target are not")
    dropped_rows: int = Field(ge=0, description="Held-out rows without a target")
    rows_digest: str
    primary_metric: str
    challenger: CandidateEvaluation
    others: tuple[CandidateEvaluation, ...] = ()
    champion: ChampionEvaluation | None = None
    differences: tuple[Difference, ...] = ()
    comparison: Comparison | None = Field(
        default=None,
        # Where there is none, the digest stays what it was before there were any.
        exclude_if=lambda comparison: comparison is None,
        description="How sure the limits of the differences are; None where there is no champion",
    )
    sections: Sections = Sections()
    verdicts: tuple[GateVerdict, ...]
    risk: Risk = Field(default="low", description="Whether a person must approve before it is promoted")
    holdout_uses: int = Field(default=1, ge=1, description="Decisions on these rows, with this one")
    holdout_uses_warning: int = Field(default=10, ge=1, description="From so many on they wear out")
    generation: int = Field(ge=0, description="Of the ledger when the training was planned")
    seed: int
    resamples: int
    confidence: float = Field(description="Of every score's interval")

    @property
    def passed(self) -> bool:
        """Whether there is at least one verdict and every one passed."""
        return bool(self.verdicts) and all(verdict.passed for verdict in self.verdicts)

    @property
    def cold_start(self) -> bool:
        """Whether no champion was in production to compare with."""
        return self.champion is None

    @property
    def is_worn(self) -> bool:
        """Whether the held-out rows have decided so often that passing on them says less than it seems."""
        return self.holdout_uses >= self.holdout_uses_warning

    def in_a_line(self) -> str:
        """Say why a challenger that passed may go to production; the verdicts have the rest."""
        passed = f"passed {len(self.verdicts)} gates"
        compared = next((verdict for verdict in self.verdicts if verdict.kind == "champion"), None)
        return passed if compared is None else f"{passed}: {compared.reason}"

    def canonical_json(self) -> str:
        """Return the one JSON text of this report: keys sorted, no spaces, ASCII."""
        return json.dumps(
            self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), allow_nan=False
        )

    def digest(self) -> str:
        """Return the SHA-256 of the canonical JSON: the evidence digest."""
        return hashlib.sha256(self.canonical_json().encode("ascii")).hexdigest()
