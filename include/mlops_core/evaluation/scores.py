"""Numbers with their uncertainty, and numbers that are missing with the reason why."""

from mlops_core.document import Document


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
