"""The declaration of one model. Light: a DAG file imports it.

Everything is checked when it is declared, so a mistake is an import error in Airflow's UI and never a task
that fails at night.
"""

import datetime as dt
import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator

from mlops_core.consistency import problems_of
from mlops_core.declaration import PATTERN_WORDS, Declaration
from mlops_core.errors import DeclarationError
from mlops_core.evaluation import metrics as _metrics  # noqa: F401  registers the metrics
from mlops_core.evaluation.catalogue import Metric, Task, find_metric
from mlops_core.gates import (
    AbsoluteGate,
    CalibrationGate,
    ChampionGate,
    CustomGate,
    FairnessGate,
    Gate,
    LatencyGate,
    LeakageGate,
    ReplayGate,
    RobustnessGate,
    SizeGate,
    SkewGate,
    SliceGate,
)
from mlops_core.names import PARTITION_PATTERN, ColumnName, MetricName, Name, Partition
from mlops_core.policies import (
    ApprovalPolicy,
    CardDeclaration,
    EvaluationPolicy,
    ExplanationPolicy,
    FairnessPolicy,
    LeakagePolicy,
    MonitorPolicy,
    Perturbation,
    ReplayPolicy,
    RetentionPolicy,
    RetrainingPolicy,
    Risk,
    RobustnessPolicy,
    ServingPolicy,
    SlicePolicy,
)
from mlops_core.references import FunctionReference, resolve
from mlops_core.runners import Docker, InProcess, RunnerDeclaration
from mlops_core.search import ParameterName, Search
from mlops_core.settings import Settings

__all__ = [
    "AbsoluteGate",
    "ApprovalPolicy",
    "CalibrationGate",
    "Candidate",
    "CardDeclaration",
    "ChampionGate",
    "ColumnName",
    "CustomGate",
    "EvaluationPolicy",
    "ExplanationPolicy",
    "FairnessGate",
    "FairnessPolicy",
    "Gate",
    "HoldoutSplit",
    "LatencyGate",
    "LeakageGate",
    "LeakagePolicy",
    "MetricName",
    "MonitorPolicy",
    "Name",
    "Partition",
    "Perturbation",
    "Pipeline",
    "ReplayGate",
    "ReplayPolicy",
    "RetentionPolicy",
    "RetrainingPolicy",
    "Risk",
    "RobustnessGate",
    "RobustnessPolicy",
    "ServingPolicy",
    "SizeGate",
    "SkewGate",
    "SliceGate",
    "SlicePolicy",
    "load_pipeline",
]


def _check_folds(folds: int) -> int:
    if folds != 0 and not 2 <= folds <= 20:
        raise ValueError("give 2 to 20 folds, or 0 for no cross-validation")
    return folds


def _check_cron(schedule: str) -> str:
    if not re.fullmatch(r"@\w+|\S+( \S+){4}", schedule):
        raise ValueError("write a cron expression of five fields, such as '0 6 1 * *', or '@monthly'")
    return schedule


def _check_partition_format(text: str) -> str:
    first, second = (dt.date(year, month, 1).strftime(text) for year, month in ((2012, 1), (2013, 2)))
    if not re.fullmatch(PARTITION_PATTERN, first):
        raise ValueError(f"it makes the partition {first!r}; {PATTERN_WORDS[PARTITION_PATTERN]}")
    months = [dt.date(year, month, 1).strftime(text) for year in (2012, 2013) for month in range(1, 13)]
    if months != sorted(months):
        raise ValueError(
            f"its keys do not sort as time does, as {months[0]!r}; write the year first: '%Y-%m'"
        )
    if first == second:
        raise ValueError(f"it makes every partition {first!r}; write strftime codes, such as '%Y-%m'")
    return text


class Candidate(Declaration):
    """One way of fitting the model.

    ``fit(features, target, *, seed, **parameters)`` receives a pandas DataFrame and Series and returns a
    fitted estimator with scikit-learn's ``predict`` (and ``predict_proba`` for classification), or a torch
    module. Every transformation of the features belongs inside it: training and serving cannot differ then.
    """

    name: Name
    fit: FunctionReference
    parameters: dict[ParameterName, JsonValue] = Field(default_factory=dict)
    search: Search | None = Field(default=None, description="Parameters that the train job looks for")
    cross_validation: Annotated[int, AfterValidator(_check_folds)] = Field(
        default=0, description="Folds of the training rows that the candidate is tried on; its search too"
    )
    runner: RunnerDeclaration | None = Field(default=None, description="The pipeline's if None")


class HoldoutSplit(Declaration):
    """A split in time: the last partitions are held out, those before them train."""

    holdout_partitions: int = Field(default=1, ge=1)
    training_partitions: int | None = Field(
        default=None, ge=1, description="The latest that many; all if None"
    )


class Pipeline(Declaration):
    """One model, declared.

    Required are a name, a task, a loader, a target, one candidate and one gate; the rest has defaults.

    ``loader(partition)`` returns one partition as a pyarrow Table (or a pandas DataFrame), with the target.
    ``labels(partition)`` returns the columns ``key`` and ``target`` of the labels known by now; without it
    the snapshot's own target is the label. ``expectations()`` returns the partition's Great Expectations
    suite; it may take the argument ``partition``.
    """

    name: Name
    task: Task
    loader: FunctionReference
    target: ColumnName
    candidates: tuple[Candidate, ...] = Field(min_length=1, max_length=32)
    gates: tuple[Gate, ...] = Field(min_length=1, max_length=64)

    description: str = ""
    owner: Annotated[str, StringConstraints(min_length=1, max_length=64)] = "mlops"
    key: ColumnName | None = Field(
        default=None, description="Column that names a row; joins labels to predictions"
    )
    features: Annotated[tuple[ColumnName, ...], Field(min_length=1)] | None = Field(
        default=None, description="Every column but the key and the target if None"
    )
    labels: FunctionReference | None = None
    expectations: FunctionReference | None = None
    minimum_partition_rows: int = Field(default=1, ge=1)
    schedule: Annotated[str, AfterValidator(_check_cron)] | None = Field(
        default=None, description="Cron expression of the ingest; by API or hand if None"
    )
    partition_format: Annotated[str, AfterValidator(_check_partition_format)] = Field(
        default="%Y-%m", description="strftime format of a scheduled run's partition"
    )
    sample_partitions: tuple[Partition, ...] = Field(
        default=(), description="Partitions that `mlops check` tries the functions on"
    )
    split: HoldoutSplit = HoldoutSplit()
    evaluation: EvaluationPolicy = EvaluationPolicy()
    monitor: MonitorPolicy = MonitorPolicy()
    retraining: RetrainingPolicy = RetrainingPolicy()
    risk: Risk = Field(default="low", description="Decides which gates are required and who approves")
    approval: ApprovalPolicy = ApprovalPolicy()
    retention: RetentionPolicy = RetentionPolicy()
    card: CardDeclaration = CardDeclaration()
    trusted_types: frozenset[str] = Field(
        default=frozenset(), description="Types beyond scikit-learn's that a stored model may hold"
    )
    seed: int = Field(default=0, ge=0, lt=2**32)
    runner: RunnerDeclaration | None = Field(
        default=None, description="Where candidates are fitted; as the platform is set up if None"
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        problems = list(problems_of(self))
        if problems:
            raise ValueError("\n  ".join(problems))
        return self

    @property
    def primary_metric(self) -> Metric:
        """The metric of the first absolute or champion gate: it ranks candidates and is watched."""
        ranking = (gate.metric for gate in self.gates if isinstance(gate, AbsoluteGate | ChampionGate))
        return find_metric(next(ranking))

    def candidate(self, name: str) -> Candidate:
        """Return the candidate of that name.

        Raises
        ------
        DeclarationError
            If there is none.
        """
        for candidate in self.candidates:
            if candidate.name == name:
                return candidate
        known = ", ".join(candidate.name for candidate in self.candidates)
        raise DeclarationError(f"pipeline {self.name!r} has no candidate {name!r}; it has: {known}")

    def runner_of(self, candidate: str) -> InProcess | Docker:
        """Return where the candidate of that name is fitted: as it says, the pipeline, or the platform."""
        return self.candidate(candidate).runner or self.runner or Settings.from_environment().runner


def load_pipeline(reference: str) -> Pipeline:
    """Import the pipeline that ``"package.module:NAME"`` names.

    Raises
    ------
    DeclarationError
        If there is no such name, or it is no pipeline.
    """
    pipeline = resolve(reference)
    if not isinstance(pipeline, Pipeline):
        raise DeclarationError(f"{reference!r} is a {type(pipeline).__name__}; it must be a Pipeline")
    return pipeline
