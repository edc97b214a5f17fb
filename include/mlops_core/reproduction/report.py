"""What a reproduction found."""

from typing import Literal, get_args

from pydantic import Field

from mlops_core.document import Document
from mlops_core.errors import DeclarationError, ReproductionDiffersError
from mlops_core.models.record import ModelRecord
from mlops_core.names import Name

EnvironmentChoice = Literal["recorded", "current"]
_ENVIRONMENTS: tuple[EnvironmentChoice, ...] = get_args(EnvironmentChoice)
Verdict = Literal["identical", "equal", "different"]

TOLERANCE = 1e-6
"""Scores that differ by no more are equal: what is left of sums that were added up in another order."""


class Difference(Document):
    """One value that is not what it was; None is what was not there."""

    name: str
    recorded: str | None
    rebuilt: str | None

    def __str__(self) -> str:
        return f"{self.name} was {self.recorded or 'absent'} and is {self.rebuilt or 'absent'}"


class PredictionDifference(Document):
    """How far the scores of the two models lie apart on some rows; None where a score is no number.

    The labels of a regression are its scores, so none of them counts as changed.
    """

    rows_of: Literal["input example", "held-out rows"]
    rows: int = Field(ge=0)
    largest: float | None
    mean: float | None
    changed_labels: int = Field(ge=0)

    @property
    def within_tolerance(self) -> bool:
        """Whether there are rows, no score differs by more than the tolerance, and no label at all."""
        # A score on its threshold answers with another label however little it moves.
        return (
            self.rows > 0
            and self.largest is not None
            and self.largest <= TOLERANCE
            and self.changed_labels == 0
        )


class ReproductionReport(Document):
    """Whether a version could be built again, and if not, in what the second differs.

    ``identical``: every file has the same content, byte by byte, apart from MLflow's ids and times.
    ``equal``: some file differs, but on the input example and on every held-out row the scores lie within the
    tolerance and the labels are the same.
    ``different``: anything else.
    """

    model: Name
    version: int = Field(ge=1)
    verdict: Verdict
    differences: tuple[str, ...] = Field(
        default=(), description="In words: of the models, then of what made them"
    )
    environment: EnvironmentChoice = Field(description="In which it was asked to be built again")
    recorded_run_id: str
    run_id: str = Field(description="Of the second fit")
    rebuilt: ModelRecord
    recorded_content: str = Field(description="Content digest of the version's files")
    rebuilt_content: str
    files: tuple[str, ...] = Field(default=(), description="That differ, or are only on one side")
    predictions: tuple[PredictionDifference, ...] = ()
    metrics: tuple[Difference, ...] = ()
    parameters: tuple[Difference, ...] = ()
    packages: tuple[Difference, ...] = ()
    tolerance: float = TOLERANCE
    page: str = Field(default="", description="Relative to the report store")

    @property
    def succeeded(self) -> bool:
        """Whether the version is reproducible."""
        return self.verdict in {"identical", "equal"}

    def require_reproduced(self) -> None:
        """Require that the second model is the first one again.

        Raises
        ------
        ReproductionDiffersError
            If it is not; with what differs.
        """
        if not self.succeeded:
            raise ReproductionDiffersError(
                f"version {self.version} of {self.model} was built again and is {self.verdict}: "
                f"{'; '.join(self.differences)}"
            )


def environment_named(name: str) -> EnvironmentChoice:
    """Return the environment of that name.

    Raises
    ------
    DeclarationError
        If there is none.
    """
    for known in _ENVIRONMENTS:
        if name == known:
            return known
    raise DeclarationError(f"the environment is {name!r}; give {' or '.join(_ENVIRONMENTS)}")
