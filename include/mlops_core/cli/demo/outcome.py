"""What the demo reports: a row for each thing that happened."""

from typing import Any

from pydantic import AwareDatetime, Field

from mlops_core.document import Document


class Measured(Document):
    """One metric's value, with its confidence interval where there is one."""

    name: str
    value: float
    lower: float | None = None
    upper: float | None = None

    def __str__(self) -> str:
        interval = (
            "" if self.lower is None or self.upper is None else f" [{self.lower:.4f}, {self.upper:.4f}]"
        )
        return f"{self.name} {self.value:.4f}{interval}"


class Outcome(Document):
    """One thing that happened in a step of the story, and what was decided."""

    step: int = Field(ge=1)
    title: str
    happened: str
    decision: str
    version: int | None = None
    metric: Measured | None = None
    seconds: float = Field(default=0.0, ge=0)


class Summary(Document):
    """The whole story; the content of ``summary.json``."""

    model: str
    began_at: AwareDatetime
    platform_seconds: float = Field(ge=0, description="Until every service was healthy")
    story_seconds: float = Field(ge=0)
    outcomes: tuple[Outcome, ...]
    problem: str | None = Field(default=None, description="Why the story ended early")

    def decisions(self) -> tuple[dict[str, Any], ...]:
        """Return what a repetition must give again: everything but times."""
        return tuple(outcome.model_dump(mode="json", exclude={"seconds"}) for outcome in self.outcomes)
