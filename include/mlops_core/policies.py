"""What a pipeline declares beside its functions and gates: how it is judged, watched and kept. Light."""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from mlops_core.declaration import Declaration
from mlops_core.names import ColumnName

Risk = Literal["low", "medium", "high"]
"""How much harm a wrong model can do; it decides which gates are required and who approves."""

REQUIRED_GATES: dict[Risk, frozenset[str]] = {
    "low": frozenset(),
    "medium": frozenset({"champion", "leakage", "skew"}),
    "high": frozenset({"champion", "leakage", "skew", "slice", "fairness", "calibration", "robustness"}),
}
"""Kinds of gates that a pipeline of each risk must declare; calibration and fairness of classifiers alone."""


_TAIL_RESAMPLES = 10
"""Beyond each limit of the best candidate's comparison, at least: fewer would leave the limit to chance."""


class SlicePolicy(Declaration):
    """Groups of held-out rows that get metrics of their own.

    Each value of each column of ``columns`` is a slice: more than ten different numbers or times by quartile,
    missing values a slice of their own, of more than fifty values the rarest together, where each has fewer
    than ``minimum_rows``. Besides, up to ``weak_slices`` are searched for automatically: groups, of one or
    two features, where the model is worst.
    """

    columns: tuple[ColumnName, ...] = ()
    weak_slices: int = Field(default=5, ge=0, le=50)
    minimum_rows: int = Field(default=100, ge=20, description="Smaller slices are counted, not scored")


class FairnessPolicy(Declaration):
    """Which columns are sensitive. They need not be features."""

    sensitive: tuple[ColumnName, ...] = Field(min_length=1)
    minimum_rows: int = Field(
        default=50, ge=10, description="Groups with fewer rows are not compared, and a gate refuses over them"
    )


class ExplanationPolicy(Declaration):
    """How much of the model is explained by SHAP values."""

    rows: int = Field(default=100, ge=10, le=10_000, description="Held-out rows that are explained")
    background_rows: int = Field(default=50, ge=10, le=1_000, description="Rows that stand for the average")
    examples: int = Field(default=3, ge=0, le=20, description="Rows shown one by one")


class Perturbation(Declaration):
    """One change of the held-out features.

    ``noise`` adds normal noise of ``amount`` standard deviations to numbers; ``missing`` empties a share of
    the values; ``absent`` empties a whole column, one column after the other; ``shift`` moves numbers by
    ``amount`` standard deviations; ``unseen`` replaces a share of the texts by one never seen.
    """

    kind: Literal["noise", "missing", "absent", "shift", "unseen"]
    amount: float = Field(default=0.1, gt=0, le=10)
    columns: tuple[ColumnName, ...] | None = Field(default=None, min_length=1, description="All if None")

    @model_validator(mode="after")
    def _is_a_share_where_it_must(self) -> Self:
        if self.kind in ("missing", "unseen") and self.amount > 1:
            raise ValueError(f"amount is a share for {self.kind}, at most 1 (got {self.amount:g})")
        return self


class RobustnessPolicy(Declaration):
    """Under which changes of the features the model is scored again."""

    perturbations: tuple[Perturbation, ...] = Field(
        default=(
            Perturbation(kind="noise", amount=0.1),
            Perturbation(kind="missing", amount=0.1),
            Perturbation(kind="shift", amount=0.5),
        ),
        min_length=1,
    )
    rows: int = Field(default=20_000, ge=100, description="At most so many held-out rows")


class ServingPolicy(Declaration):
    """How the model is tried as it is served: in a clean process, one thread, one request at a time."""

    requests: int = Field(default=200, ge=20, le=10_000)
    rows_a_request: int = Field(default=1, ge=1, le=10_000)

    @model_validator(mode="after")
    def _ends_some_day(self) -> Self:
        rows = self.requests * self.rows_a_request
        if rows > 1_000_000:
            raise ValueError(f"requests times rows_a_request is at most 1,000,000 (got {rows:,})")
        return self


class LeakagePolicy(Declaration):
    """How leakage is looked for."""

    rows: int = Field(default=20_000, ge=200, description="Training rows on which single features are tried")


class ReplayPolicy(Declaration):
    """How many of the last logged prediction windows the challenger scores again."""

    windows: int = Field(default=3, ge=1, le=100)
    examples: int = Field(default=10, ge=0, le=100, description="Rows shown whose score changes most")


class EvaluationPolicy(Declaration):
    """How scores get their uncertainty, and what is examined beside them. None: not examined."""

    resamples: int = Field(default=500, ge=100, le=10_000)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    slices: SlicePolicy | None = None
    fairness: FairnessPolicy | None = None
    explanation: ExplanationPolicy | None = None
    robustness: RobustnessPolicy | None = None
    serving: ServingPolicy | None = None
    leakage: LeakagePolicy | None = None
    replay: ReplayPolicy | None = None
    holdout_uses: int = Field(
        default=10, ge=1, description="Decisions on the same held-out rows before the report warns"
    )

    def for_best_of(self, candidates: int) -> Self:
        """Return the policy by which the best of several candidates is compared with the champion.

        The best was chosen on the rows that it is then compared on. So whatever chance a limit has to err is
        shared among all candidates: the confidence is ``1 - (1 - confidence) / candidates``. There are enough
        resamples that ten lie beyond each limit. With one candidate nothing was chosen and this policy holds.

        References
        ----------
        Dunn (1961), "Multiple comparisons among means".
        """
        if candidates <= 1:
            return self
        doubt = (1 - self.confidence) / candidates
        # Half of the doubt lies beyond each limit. Rounded first: 800.0000000001 would become 801.
        needed = math.ceil(round(2 * _TAIL_RESAMPLES / doubt, 6))
        return self.model_copy(
            update={"confidence": 1 - doubt, "resamples": max(self.resamples, needed)},
        )


APPROVE, REJECT = "Approve", "Reject"
"""What an approval offers to answer, in the words of Airflow's pages and API."""

SHORTEST_REASON, LONGEST_REASON = 3, 500
"""Characters of the reason that a person gives for a decision, without the blanks around it."""

Approver = Annotated[str, StringConstraints(min_length=1, max_length=250)]


class ApprovalPolicy(Declaration):
    """Who approves a promotion, where the risk asks for it, and how long they may take.

    ``approvers`` are ids of Airflow users, which the simple auth manager takes from their names; anybody who
    may answer the task if empty, which a high risk does not allow. Without an answer in time it is no.
    """

    approvers: tuple[Approver, ...] = ()
    timeout_hours: float = Field(default=72.0, gt=0, le=24 * 90)


class RetentionPolicy(Declaration):
    """Which retired versions keep their files in the archive.

    Retention never touches the champion, the challenger, what a roll back returns to, or what evidence refers
    to.
    """

    versions: int = Field(default=10, ge=1, description="The latest that many")
    days: float = Field(default=365.0, gt=0, description="And all that were retired in as many days")


class CardDeclaration(Declaration):
    """What only a person can say of a model; the rest of its card is measured."""

    intended_use: str = ""
    out_of_scope: str = ""
    limitations: tuple[str, ...] = ()
    ethical_considerations: str = ""


class MonitorPolicy(Declaration):
    """What the monitor calls a finding. Thresholds are calibrated at each window's size."""

    false_alarm_rate: float = Field(
        default=0.01, gt=0, le=0.2, description="For a whole window without drift"
    )
    minimum_rows: int = Field(default=100, ge=20, description="Fewer rows are insufficient data")
    minimum_effect: float = Field(
        default=0.1, ge=0, le=1, description="Total variation distance worth a finding"
    )
    drifted_share: float = Field(
        default=0.3, gt=0, le=1, description="Share of features that makes data drift"
    )
    minimum_label_coverage: float = Field(default=0.8, gt=0, le=1)
    performance_margin: float = Field(
        default=0.02, gt=0, description="Loss of the first gate's metric worth a finding"
    )
    reference_rows: int = Field(
        default=20_000, ge=100, description="Held-out rows kept beside the profile, for Evidently's charts"
    )


class RetrainingPolicy(Declaration):
    """When the monitor's findings ask for a retraining, and when they may not."""

    on: frozenset[Literal["data_drift", "prediction_drift", "performance"]] = frozenset(
        {"prediction_drift", "performance"}
    )
    persistence_windows: int = Field(default=1, ge=1, description="Findings in that many windows in a row")
    cooldown_partitions: int = Field(default=1, ge=1, description="New partitions since the last training")
    cooldown_hours: float = Field(default=0.0, ge=0, description="Hours since the last training")
    request_expires_hours: float = Field(
        default=24.0, gt=0, description="A request that no training answered is open that long; one may be"
    )
