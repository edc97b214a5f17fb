"""What every judge is given, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mlops_core.evaluation.report import CandidateEvaluation, ChampionEvaluation, Comparison, Difference
from mlops_core.evaluation.sections import Sections


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the gates look at.

    Parameters
    ----------
    champion
        The version in production; None at the cold start.
    differences
        Of the challenger from the champion, paired on the same rows.
    rows_digest
        Of the held-out rows that the report is about.
    confidence
        Of every score's interval, for example 0.95.
    comparison
        Of the differences' intervals; None where they have the scores' confidence.
    """

    challenger: CandidateEvaluation
    champion: ChampionEvaluation | None
    differences: Sequence[Difference]
    holdout_rows: int
    rows_digest: str
    confidence: float
    comparison: Comparison | None = None
    sections: Sections = field(default_factory=Sections)

    def document(self) -> dict[str, Any]:
        """Return all of it as JSON, for a gate of one's own."""
        return {
            "challenger": self.challenger.model_dump(mode="json"),
            "champion": None if self.champion is None else self.champion.model_dump(mode="json"),
            "differences": [difference.model_dump(mode="json") for difference in self.differences],
            "holdout_rows": self.holdout_rows,
            "rows_digest": self.rows_digest,
            "confidence": self.confidence,
            "comparison": None if self.comparison is None else self.comparison.model_dump(mode="json"),
            "sections": self.sections.model_dump(mode="json"),
        }


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One judge's answer: numbers, a sentence, and where in the report the number stands."""

    passed: bool
    reason: str
    value: float | None = None
    bound: float | None = None
    evidence: str = ""
