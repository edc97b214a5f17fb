"""What an evaluation examines beside the scores: a document a part, None where it was not examined."""

from typing import Literal

from pydantic import Field

from mlops_core.document import Document
from mlops_core.evaluation.scores import Difference, MissingScore, Score


class SliceEvaluation(Document):
    """One group of held-out rows and the scores of the challenger, and the champion, on it.

    A slice with fewer rows than the policy asks for has no scores.
    """

    name: str = Field(description="For example: origin = EWR")
    columns: tuple[str, ...]
    found: bool = Field(description="Whether it was searched for, and not declared")
    rows: int
    scores: tuple[Score, ...] = ()
    missing: tuple[MissingScore, ...] = ()
    champion_scores: tuple[Score, ...] = ()
    excess_loss: float | None = Field(
        default=None, description="Of a found slice: its mean loss above that of all other rows"
    )


class SliceSection(Document):
    """The declared slices, and the weak ones that were found, worst first.

    Weak slices are searched for on one half of the rows; their rows and numbers are of the other half.
    """

    slices: tuple[SliceEvaluation, ...]
    minimum_rows: int
    resamples: int = Field(default=0, description="Behind each interval")
    searched_rows: int = Field(default=0, description="Rows of the half that was searched; 0: none was")


class GroupRates(Document):
    """How one group is treated. Rates are None where the group has no such rows."""

    group: str
    rows: int
    selection_rate: float | None
    true_positive_rate: float | None
    false_positive_rate: float | None
    compared: bool = Field(description="Whether it has rows enough to be compared")


class FairnessScore(Document):
    """One measure over the groups of an attribute, with its bootstrap confidence interval."""

    measure: str
    value: float
    lower: float
    upper: float
    of_class: str | None = Field(default=None, description="Of several classes, the worst")


class AttributeFairness(Document):
    """One sensitive attribute. A multiclass model is compared by its worst class."""

    attribute: str
    groups: tuple[GroupRates, ...]
    rates_of: str = Field(default="", description="The class that the groups' rates are of")
    scores: tuple[FairnessScore, ...] = ()
    champion_scores: tuple[FairnessScore, ...] = ()
    missing: tuple[MissingScore, ...] = ()


class FairnessSection(Document):
    """Every declared sensitive attribute."""

    attributes: tuple[AttributeFairness, ...]
    minimum_rows: int


class FeatureImportance(Document):
    """Mean absolute SHAP value of a feature, and its share of all features' sum."""

    feature: str
    mean_absolute: float
    share: float
    champion_share: float | None = None


class Contribution(Document):
    """What one feature's value adds to one row's score."""

    feature: str
    value: str
    contribution: float


class ExplainedRow(Document):
    """One held-out row: its score is the base plus all contributions."""

    row: int = Field(ge=0, description="Place among the held-out rows")
    score: float
    base: float
    contributions: tuple[Contribution, ...] = Field(description="Strongest first")
    shown_as: str = Field(default="", description="For example: most wrong")
    score_of: str = Field(default="", description="What the score is: a class's probability, or a value")
    truth: str = ""


class ExplanationSection(Document):
    """Why the challenger predicts what it does, by SHAP values of its score."""

    method: str
    rows: int
    importance: tuple[FeatureImportance, ...] = Field(description="Strongest first")
    rank_correlation: float | None = Field(
        default=None, description="Spearman's, of the importances with the champion's"
    )
    examples: tuple[ExplainedRow, ...] = ()


class PerturbedScore(Document):
    """One metric under one perturbation, and what it lost. Positive losses are worse."""

    perturbation: str
    metric: str
    value: float
    loss: float


def perturbed_metric(metric: str, *, perturbation: str) -> str:
    """Name one metric under one perturbation, as the missing scores of ``RobustnessSection`` do."""
    return f"{metric} under {perturbation}"


class RobustnessSection(Document):
    """The challenger scored again on changed features."""

    rows: int
    scores: tuple[PerturbedScore, ...]
    missing: tuple[MissingScore, ...] = Field(default=(), description="`metric` is a `perturbed_metric`")


class Skew(Document):
    """The stored model in a clean process against the one that was evaluated, on the stored input example."""

    rows: int
    largest_difference: float = Field(description="Of a score, absolute")
    differing_labels: int


class ServingSection(Document):
    """The model as it is served: loaded in a clean process, one request at a time."""

    requests: int
    rows_a_request: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    load_seconds: float
    peak_memory_mb: float
    size_bytes: int
    skew: Skew


class FeaturePower(Document):
    """How well one feature alone explains the target: 0 is chance, 1 is perfection."""

    feature: str
    power: float


class LeakageSection(Document):
    """Signs that the held-out rows, or the target, were seen in training."""

    rows: int = Field(description="Training rows on which single features were tried")
    powers: tuple[FeaturePower, ...] = Field(description="Strongest first")
    holdout_rows: int
    overlapping_rows: int = Field(description="Held-out rows that are a training row too")
    overlap: float


class ReplayedWindow(Document):
    """One logged prediction window, scored again by the challenger.

    A row disagrees when its label differs; in a regression, when the prediction moves by more than a tenth of
    the standard deviation of what was served. A multiclass score changes as its most changed probability.
    """

    partition: str
    version: int = Field(description="That served it")
    rows: int
    disagreeing_rows: int
    mean_change: float = Field(description="Of the score, absolute")
    labelled_rows: int = 0
    trained_on: bool = Field(
        default=False, description="Whether the challenger was fitted on this partition, which flatters it"
    )
    differences: tuple[Difference, ...] = Field(
        default=(), description="Challenger over what was served, where labels are known"
    )


class ChangedRow(Document):
    """A row whose score the challenger changes much."""

    partition: str
    key: str
    served: float
    challenger: float


class ReplaySection(Document):
    """The challenger in the shadow of what was served. No window: nothing was ever served."""

    windows: tuple[ReplayedWindow, ...] = ()
    disagreement: float | None = Field(default=None, description="Share of all rows whose label differs")
    changes: tuple[ChangedRow, ...] = Field(default=(), description="Greatest change first")


Part = Literal["slices", "fairness", "explanation", "robustness", "serving", "leakage", "replay"]


class UnexaminedPart(Document):
    """A part that was asked for and could not be examined. No gate of it passes."""

    part: Part
    reason: str


class Sections(Document):
    """Every part of an evaluation."""

    slices: SliceSection | None = None
    fairness: FairnessSection | None = None
    explanation: ExplanationSection | None = None
    robustness: RobustnessSection | None = None
    serving: ServingSection | None = None
    leakage: LeakageSection | None = None
    replay: ReplaySection | None = None
    unexamined: tuple[UnexaminedPart, ...] = ()

    def why_unexamined(self, part: Part) -> str:
        """Say why a part is missing."""
        reasons = (missing.reason for missing in self.unexamined if missing.part == part)
        return next(reasons, f"evaluation.{part} is not declared")
