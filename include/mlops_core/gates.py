"""The declaration of gates: may the challenger go to production? Light: a DAG file imports it.

How each one judges is in ``mlops_core.evaluation``. Every gate fails closed.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, StrictBool, StrictFloat, model_validator

from mlops_core.declaration import Declaration
from mlops_core.document import Document
from mlops_core.names import ColumnName, MetricName, Name
from mlops_core.references import FunctionReference

FairnessMeasure = Literal[
    "demographic_parity_difference",
    "disparate_impact_ratio",
    "equal_opportunity_difference",
    "equalized_odds_difference",
]
"""A difference is best at 0, the ratio at 1."""


class AbsoluteGate(Declaration):
    """The challenger's metric must reach a bound: ``minimum`` or ``maximum``, the bound itself included."""

    kind: Literal["absolute"] = "absolute"
    metric: MetricName
    minimum: float | None = None
    maximum: float | None = None

    @model_validator(mode="after")
    def _has_one_bound(self) -> Self:
        if (self.minimum is None) == (self.maximum is None):
            raise ValueError("give one bound, either minimum or maximum")
        return self


class ChampionGate(Declaration):
    """The challenger must not be worse than the champion by ``margin`` or more on the same rows.

    Non-inferiority by paired bootstrap: it passes when the lower confidence limit of the improvement (signed
    so that more is better) lies above ``-margin``. A margin of 0 asks for proof that it is better. The limit
    of the best of several candidates is corrected for the choice, see ``EvaluationPolicy.for_best_of``.
    """

    kind: Literal["champion"] = "champion"
    metric: MetricName
    margin: float = Field(default=0.0, ge=0)


class SliceGate(Declaration):
    """The metric must reach a bound on every slice of the declared columns that has enough rows.

    With ``margin`` the bound is the champion's value on the same slice less the margin; there it passes where
    no champion is.
    """

    kind: Literal["slice"] = "slice"
    metric: MetricName
    minimum: float | None = None
    maximum: float | None = None
    margin: float | None = Field(default=None, ge=0)
    columns: tuple[ColumnName, ...] | None = Field(
        default=None, min_length=1, description="All that evaluation.slices declares if None"
    )

    @model_validator(mode="after")
    def _has_one_bound(self) -> Self:
        given = [bound for bound in (self.minimum, self.maximum, self.margin) if bound is not None]
        if len(given) != 1:
            raise ValueError("give one bound: minimum, maximum or margin")
        return self


class FairnessGate(Declaration):
    """A fairness measure over the groups of one sensitive attribute must reach its bound.

    ``maximum`` bounds a difference, ``minimum`` the ratio of disparate impact (0.8 is the four-fifths rule).
    A group of fewer than ``evaluation.fairness.minimum_rows`` rows is not compared. Neither are rare values
    that were pooled. The gate refuses over them, unless ``small_groups`` is ``leave_out``.
    """

    kind: Literal["fairness"] = "fairness"
    measure: FairnessMeasure
    attribute: ColumnName
    minimum: float | None = Field(default=None, ge=0, le=1)
    maximum: float | None = Field(default=None, ge=0, le=1)
    small_groups: Literal["refuse", "leave_out"] = "refuse"

    @model_validator(mode="after")
    def _has_the_right_bound(self) -> Self:
        needed = "minimum" if self.measure == "disparate_impact_ratio" else "maximum"
        if getattr(self, needed) is None or (self.minimum is not None and self.maximum is not None):
            raise ValueError(f"{self.measure} needs a {needed}, and no other bound")
        return self


class CalibrationGate(Declaration):
    """The upper confidence limit of the expected calibration error must not exceed ``maximum``."""

    kind: Literal["calibration"] = "calibration"
    maximum: float = Field(gt=0, lt=1)


class LatencyGate(Declaration):
    """A quantile of the time of one request, at serving conditions, must not exceed ``maximum_ms``."""

    kind: Literal["latency"] = "latency"
    maximum_ms: float = Field(gt=0)
    quantile: Literal["p50", "p95", "p99"] = "p95"


class SizeGate(Declaration):
    """The stored model's files must not exceed ``maximum_mb`` (10^6 bytes)."""

    kind: Literal["size"] = "size"
    maximum_mb: float = Field(gt=0)


class RobustnessGate(Declaration):
    """Under every declared perturbation the metric may be worse by no more than ``maximum_loss``."""

    kind: Literal["robustness"] = "robustness"
    metric: MetricName
    maximum_loss: float = Field(ge=0)


class LeakageGate(Declaration):
    """No single feature may explain the target, and no held-out row may be among the training rows.

    ``maximum_power`` bounds the best single feature's cross-validated power: for a classifier the ROC AUC of
    a model of that feature alone, rescaled so that chance is 0 and perfection 1; for a regression its R², of
    the target's values or of their ranks, whichever is greater.
    ``maximum_overlap`` bounds the share of held-out rows that are also a training row: the same in all
    features, in the target, and in the key where the pipeline declares one. Without a key, rows of few
    possible values repeat by nature: raise the bound there.
    """

    kind: Literal["leakage"] = "leakage"
    maximum_power: float = Field(default=0.95, gt=0, le=1)
    maximum_overlap: float = Field(default=0.01, ge=0, lt=1)


class SkewGate(Declaration):
    """The stored model, loaded in a clean process, must score its input example as the evaluation does.

    There the example goes the way of a request: as JSON, through the checks of records, to a frame.
    ``tolerance`` bounds the largest absolute difference of a score; no label may differ.
    """

    kind: Literal["skew"] = "skew"
    tolerance: float = Field(default=1e-9, ge=0)


class ReplayGate(Declaration):
    """On the replayed windows the labels may differ from what was served for no more than a share of rows.

    A regression's label differs when the prediction moves by more than a tenth of the standard deviation of
    what was served in the window.
    It passes where nothing was ever served.
    """

    kind: Literal["replay"] = "replay"
    maximum_disagreement: float = Field(gt=0, le=1)


class CustomAnswer(Document):
    """What the function of a gate of one's own returns; a mapping with the same keys will do.

    ``passed`` is a real boolean: neither 1 nor numpy's.
    """

    passed: StrictBool
    reason: str = Field(min_length=1)
    value: StrictFloat | None = None
    bound: StrictFloat | None = None


class CustomGate(Declaration):
    """A function of one's own: ``check(report, **parameters)`` gets the evaluation report as JSON.

    It returns a ``CustomAnswer``. What it raises, and anything else that it returns, is a refusal.
    """

    kind: Literal["custom"] = "custom"
    name: Name
    check: FunctionReference
    parameters: dict[Name, JsonValue] = Field(default_factory=dict)


MetricGate = AbsoluteGate | ChampionGate | SliceGate | RobustnessGate
"""Gates that judge a registered metric."""

Gate = Annotated[
    AbsoluteGate
    | ChampionGate
    | SliceGate
    | FairnessGate
    | CalibrationGate
    | LatencyGate
    | SizeGate
    | RobustnessGate
    | LeakageGate
    | SkewGate
    | ReplayGate
    | CustomGate,
    Field(discriminator="kind"),
]
