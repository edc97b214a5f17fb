"""Numbers with their uncertainty, and numbers that are missing with the reason why."""

from pydantic import Field

from mlops_core.document import Document
from mlops_core.evaluation.wording import percent


class Score(Document):
    """One metric of one model on the held-out rows, with its bootstrap confidence interval."""

    metric: str
    value: float
    lower: float
    upper: float


class MissingScore(Document):
    """A metric that has no value for a model, and why. No gate passes on it."""

    metric: str
    reason: str


class Difference(Document):
    """What the challenger improves on the champion, signed so that more is better, on the same resamples."""

    metric: str
    improvement: float
    lower: float
    upper: float


class Comparison(Document):
    """With which confidence the challenger's differences from the champion have their limits.

    The best of several candidates was chosen on the rows that it is compared on, and its limits are corrected
    for that: see ``EvaluationPolicy.for_best_of``.
    """

    candidates: int = Field(ge=1, description="Of which the challenger is the best")
    confidence: float = Field(gt=0, lt=1)
    resamples: int = Field(ge=1)

    @property
    def is_corrected(self) -> bool:
        """Whether the limits are stricter than those of the scores."""
        return self.candidates > 1

    @property
    def interval(self) -> str:
        """The interval's name, for example ``98.3 % interval``."""
        return f"{percent(self.confidence)} interval"

    @property
    def reason(self) -> str:
        """Why it is so wide: ``corrected for 3 candidates``."""
        return f"corrected for {self.candidates} candidates"

    def in_words(self) -> str:
        """Say it in a sentence, for a page."""
        return (
            f"The interval of an improvement is a {self.interval} from {self.resamples:,} resamples:"
            f" {self.reason}, of which the best was chosen on these rows."
        )
