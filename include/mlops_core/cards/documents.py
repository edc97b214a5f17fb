"""The model card: one JSON document that says what a version is and what is known of it.

After Mitchell et al. (2019), "Model Cards for Model Reporting": what a person declares stands beside what was
measured, and what was not measured is said to be so.
"""

from typing import Literal

from pydantic import Field, JsonValue

from mlops_core.data.documents import SnapshotIdentity
from mlops_core.document import Document
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.report import GateVerdict
from mlops_core.evaluation.scores import Comparison, Difference, MissingScore, Score
from mlops_core.evaluation.sections import Sections
from mlops_core.lineage.documents import PartitionUse
from mlops_core.names import Name
from mlops_core.policies import CardDeclaration, Risk
from mlops_core.registry.records import UtcInstant
from mlops_core.training.environment import CodeVersion
from mlops_core.training.tuning.documents import CrossValidation, TuningSummary


class CardFeature(Document):
    """One column that the model reads."""

    name: str
    type: str | None = Field(description="As MLflow names it; None where the run did not record it")


class CardData(Document):
    """What the model was fitted and judged on."""

    snapshot: SnapshotIdentity
    split_digest: str
    partitions: tuple[PartitionUse, ...]
    fitted_rows: int | None = Field(description="Training rows with a target")
    holdout_rows: int
    dropped_rows: int = Field(description="Held-out rows without a target")
    holdout_uses: int = Field(ge=1, description="Decisions on the held-out rows, this one included")


class CardTraining(Document):
    """How the model was fitted; None is what the run did not record."""

    candidate: Name
    run_id: str
    parameters: dict[str, JsonValue]
    seed: int | None
    fit_seconds: float | None
    resources: dict[str, float] = Field(default_factory=dict, description="Of the fit, by name with its unit")
    tuning: TuningSummary | None = None
    cross_validation: CrossValidation | None = None
    others: tuple[str, ...] = Field(default=(), description="Candidates that it was chosen from")


class CardEnvironment(Document):
    """What the model was fitted with."""

    python: str
    platform: str
    cpus: int
    packages: dict[str, str] = Field(description="Those that decide what a model computes")
    code: CodeVersion | None


class CardScore(Document):
    """One metric on the held-out rows, the champion's on the same rows, and what it improves."""

    score: Score
    champion: Score | None = None
    difference: Difference | None = None


class CardApproval(Document):
    """Whether a person let the version go to production."""

    status: Literal["not required", "not asked for", "waiting", "approved", "rejected", "void"]
    actor: str = ""
    reason: str = ""
    at: UtcInstant | None = None


class ModelCard(Document):
    """Everything that a reader must know of one version before it is used."""

    model: Name
    version: int = Field(ge=1)
    digest: str
    uri: str
    description: str
    owner: str
    risk: Risk
    task: Task
    target: str
    features: tuple[CardFeature, ...]
    declared: CardDeclaration
    known_limits: tuple[str, ...] = Field(description="Computed from the evidence")
    data: CardData
    training: CardTraining
    environment: CardEnvironment | None
    primary_metric: str
    confidence: float
    comparison: Comparison | None = Field(default=None, description="Of the differences; None: no champion")
    scores: tuple[CardScore, ...]
    missing: tuple[MissingScore, ...] = ()
    champion_version: int | None = Field(description="Scored beside it; None at the cold start")
    sections: Sections
    gates: tuple[GateVerdict, ...]
    evidence_digest: str
    approval: CardApproval
    signature_key: str | None = Field(description="Id of the key that vouches; None: unsigned")
    gaps: tuple[str, ...] = Field(default=(), description="What could not be read, and why")
