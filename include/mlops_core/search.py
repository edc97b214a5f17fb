"""Which parameters a train job looks for itself, as it is declared. Light: a DAG file imports it."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mlops_core.declaration import Declaration
from mlops_core.names import MetricName, Name


def _check_parameter_name(name: str) -> str:
    if name in {"features", "target", "seed"}:
        raise ValueError("the train job itself passes features, target and seed to fit; use another name")
    return name


ParameterName = Annotated[Name, AfterValidator(_check_parameter_name)]
"""A keyword argument of a candidate's fit."""


def _check_scalar(value: object) -> object:
    if value is not None and not isinstance(value, bool | int | float | str):
        raise ValueError("one of several values is a number, a text, a boolean or None")
    return value


Scalar = Annotated[bool | int | float | str | None, BeforeValidator(_check_scalar)]
"""What one parameter may be in a search."""


class Float(Declaration):
    """A number between two bounds, both included; ``log`` looks at their orders of magnitude."""

    kind: Literal["float"] = "float"
    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        _check_range(self.low, self.high, log=self.log, positive="more than 0")
        return self


class Integer(Declaration):
    """A whole number between two bounds, both included; ``log`` looks at their orders of magnitude."""

    kind: Literal["integer"] = "integer"
    low: int
    high: int
    log: bool = False

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        _check_range(self.low, self.high, log=self.log, positive="at least 1")
        return self


class Choice(Declaration):
    """One of several values: ``Choice(("gini", "entropy"))``."""

    kind: Literal["choice"] = "choice"
    values: tuple[Scalar, ...] = Field(min_length=2, max_length=100)

    def __init__(self, values: Any = None, /, **fields: Any) -> None:
        super().__init__(**({} if values is None else {"values": values}), **fields)

    @model_validator(mode="after")
    def _check_values(self) -> Self:
        # 1 and True are equal to Python, and two values to a fit.
        distinct = {(type(value), value) for value in self.values}
        if len(distinct) < len(self.values):
            raise ValueError("name each value once")
        return self


Range = Annotated[Float | Integer | Choice, Field(discriminator="kind")]


class Search(Declaration):
    """Parameters of a candidate that its train job looks for, on the training partitions alone.

    Each trial is fitted and scored on time-ordered folds of the training rows; one that is clearly worse than
    those before it ends early. The best parameters are fitted again on all training rows. The same job makes
    the same trials, however often it is killed, unless ``timeout_seconds`` is given: how many trials end in
    some time, and with them the model, then depends on the machine.

    Parameters
    ----------
    parameters
        By keyword argument of the candidate's fit.
    trials
        How many combinations are tried, at most.
    folds
        Time-ordered parts of the training rows that each trial is scored on.
    metric
        What trials are ranked by; the pipeline's primary metric if None.
    timeout_seconds
        No trial is begun after as many seconds of trials; the one that runs is finished.
    """

    parameters: dict[ParameterName, Range] = Field(min_length=1, max_length=50)
    trials: int = Field(default=30, ge=1, le=10_000)
    folds: int = Field(default=3, ge=2, le=20)
    metric: MetricName | None = None
    timeout_seconds: float | None = Field(default=None, gt=0)

    def judged_by(self, metric: str) -> "Search":
        """Return the search with a metric where it names none."""
        return self if self.metric is not None else self.model_copy(update={"metric": metric})


def _check_range(low: float, high: float, *, log: bool, positive: str) -> None:
    if not low < high:
        raise ValueError(f"low must lie below high (got low={low:g}, high={high:g})")
    if log and not low > 0:
        raise ValueError(f"a log range needs a low of {positive} (got low={low:g})")
