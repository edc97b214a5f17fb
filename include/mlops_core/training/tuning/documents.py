"""What was tried on the training rows, and how well it did there. Light."""

from typing import Literal

from pydantic import Field, JsonValue

from mlops_core.document import Document

TrialState = Literal["complete", "pruned", "failed"]


class Trial(Document):
    """One combination of parameters: complete, ended early for being worse than others, or failed.

    ``score`` is the mean of the folds' scores, and is there for a complete trial alone.
    """

    number: int = Field(ge=1)
    parameters: dict[str, JsonValue]
    state: TrialState
    fold_scores: tuple[float, ...] = ()
    score: float | None = None
    reason: str = Field(default="", description="Why it failed")
    seconds: float = Field(ge=0)
    finished_at: float = Field(description="Seconds since 1970")


class Tuning(Document):
    """A search for parameters, on the training rows alone.

    Its best score flatters: it is the best of many on the rows that chose it. A cross-validation of the
    candidate repeats the search inside each fold and does not.
    """

    metric: str
    greater_is_better: bool
    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial | None:
        """The complete trial with the best score, the first of equals; None if every trial failed."""
        complete = [trial for trial in self.trials if trial.score is not None]
        sign = -1 if self.greater_is_better else 1
        return min(complete, key=lambda trial: (sign * (trial.score or 0.0), trial.number), default=None)

    def summary(self) -> "TuningSummary":
        """Return the tuning without its trials.

        Raises
        ------
        ValueError
            If no trial is complete.
        """
        best = self.best
        if best is None or best.score is None:
            raise ValueError("no trial is complete")
        states = [trial.state for trial in self.trials]
        return TuningSummary(
            metric=self.metric,
            score=best.score,
            parameters=best.parameters,
            trial=best.number,
            trials=len(states),
            pruned=states.count("pruned"),
            failed=states.count("failed"),
            seconds=sum(trial.seconds for trial in self.trials),
        )


class TuningSummary(Document):
    """What a search has chosen, and out of how many trials.

    ``score`` is the best of them on the training rows that chose it, never one of the held-out rows.
    """

    metric: str
    score: float
    parameters: dict[str, JsonValue]
    trial: int = Field(ge=1, description="Number of the best one")
    trials: int = Field(ge=1)
    pruned: int = Field(ge=0)
    failed: int = Field(ge=0)
    seconds: float = Field(ge=0)


class FoldScore(Document):
    """One fold: fitted on the rows before it, scored on its own."""

    fitted_on: str
    scored_on: str
    fitted_rows: int = Field(gt=0)
    scored_rows: int = Field(gt=0)
    score: float
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict, description="What the search inside the fold has chosen"
    )


class CrossValidation(Document):
    """How well the candidate does on training rows that it was not fitted on, fold by fold in time.

    ``nested``: the search for parameters was repeated inside each fold, so it never saw the rows that it was
    scored on. The folds are parts of the training rows; the held-out rows, which decide, are not among them.
    """

    metric: str
    nested: bool
    folds: tuple[FoldScore, ...] = Field(min_length=2)
    mean: float
    std: float = Field(ge=0, description="Of the folds' scores, with one degree of freedom less than folds")

    def in_words(self) -> str:
        """Say it in one line."""
        kind = "nested cross-validation" if self.nested else "cross-validation"
        return (
            f"{self.metric} {self.mean:.4f} ± {self.std:.4f} by {kind} in {len(self.folds)} folds "
            "of the training rows (not the held-out rows)"
        )
