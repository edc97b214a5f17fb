"""The declaration of one model. Light: a DAG file imports it.

Everything is checked when it is declared, so a mistake is an import error in Airflow's UI and never a task
that fails at night.
"""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator

from mlops_core.declaration import PATTERN_WORDS, Declaration
from mlops_core.errors import DeclarationError
from mlops_core.evaluation import metrics as _metrics  # noqa: F401  registers the metrics
from mlops_core.evaluation.catalogue import Metric, Task, find_metric, metrics_for
from mlops_core.references import FunctionReference, resolve
from mlops_core.runners import Docker, InProcess, RunnerDeclaration
from mlops_core.settings import Settings

_NAME = r"^[a-z][a-z0-9_]{0,62}$"
_PARTITION = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"
PATTERN_WORDS[_NAME] = "use a lower-case letter, then up to 62 lower-case letters, digits and '_'"
PATTERN_WORDS[_PARTITION] = "use a letter or digit, then up to 63 letters, digits, '_', '.', ':' and '-'"

Name = Annotated[str, StringConstraints(pattern=_NAME)]
"""A lower-case identifier: safe as a DAG id, a table's folder and a registered model's name."""

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Partition = Annotated[str, StringConstraints(pattern=_PARTITION)]
"""A partition's key, for example ``2013-07``: no slash, so that it is safe as a folder's name."""

MetricName = Annotated[str, StringConstraints(min_length=1)]


def _check_parameter_name(name: str) -> str:
    if name in {"features", "target", "seed"}:
        raise ValueError("the train job itself passes features, target and seed to fit; use another name")
    return name


def _check_cron(schedule: str) -> str:
    if not re.fullmatch(r"@\w+|\S+( \S+){4}", schedule):
        raise ValueError("write a cron expression of five fields, such as '0 6 1 * *', or '@monthly'")
    return schedule


def _check_partition_format(text: str) -> str:
    first, second = (dt.date(year, month, 1).strftime(text) for year, month in ((2012, 1), (2013, 2)))
    if not re.fullmatch(_PARTITION, first):
        raise ValueError(f"it makes the partition {first!r}; {PATTERN_WORDS[_PARTITION]}")
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
    parameters: dict[Annotated[Name, AfterValidator(_check_parameter_name)], JsonValue] = Field(
        default_factory=dict
    )
    runner: RunnerDeclaration | None = Field(default=None, description="The pipeline's if None")


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
    so that more is better) lies above ``-margin``. A margin of 0 asks for proof that it is better.
    """

    kind: Literal["champion"] = "champion"
    metric: MetricName
    margin: float = Field(default=0.0, ge=0)


Gate = Annotated[AbsoluteGate | ChampionGate, Field(discriminator="kind")]


class HoldoutSplit(Declaration):
    """A split in time: the last partitions are held out, those before them train."""

    holdout_partitions: int = Field(default=1, ge=1)
    training_partitions: int | None = Field(
        default=None, ge=1, description="The latest that many; all if None"
    )


class EvaluationPolicy(Declaration):
    """How scores get their uncertainty."""

    resamples: int = Field(default=500, ge=100, le=10_000)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)


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
    reference_rows: int = Field(default=20_000, ge=100, description="Rows kept in the reference profile")


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
    trusted_types: frozenset[str] = Field(
        default=frozenset(), description="Types beyond scikit-learn's that a stored model may hold"
    )
    seed: int = Field(default=0, ge=0, lt=2**32)
    runner: RunnerDeclaration | None = Field(
        default=None, description="Where candidates are fitted; as the platform is set up if None"
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        problems = [*_candidate_problems(self), *_gate_problems(self), *_column_problems(self)]
        if problems:
            raise ValueError("\n  ".join(problems))
        return self

    @property
    def primary_metric(self) -> Metric:
        """The first gate's metric: it ranks candidates and is watched in production."""
        return find_metric(self.gates[0].metric)

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


def _candidate_problems(pipeline: Pipeline) -> Iterator[str]:
    names = [candidate.name for candidate in pipeline.candidates]
    for place, name in enumerate(names):
        if name in names[:place]:
            yield f"candidates.{place}.name: every candidate needs a name of its own (got {name!r} again)"


def _gate_problems(pipeline: Pipeline) -> Iterator[str]:
    for place, gate in enumerate(pipeline.gates):
        try:
            metric = find_metric(gate.metric)
        except DeclarationError as error:
            yield f"gates.{place}.metric: {error}"
            continue
        if pipeline.task not in metric.tasks:
            fitting = ", ".join(metric.name for metric in metrics_for(pipeline.task))
            yield f"gates.{place}.metric: {gate.metric!r} does not judge {pipeline.task.value}; use {fitting}"
        elif isinstance(gate, AbsoluteGate):
            yield from _bound_problems(gate, metric, place=place, gates=pipeline.gates)


def _bound_problems(
    gate: AbsoluteGate, metric: Metric, *, place: int, gates: tuple[Gate, ...]
) -> Iterator[str]:
    side = "minimum" if gate.maximum is None else "maximum"
    bound = gate.minimum if gate.maximum is None else gate.maximum
    if bound is None or not metric.holds(bound):
        yield f"gates.{place}.{side}: {metric.name} lies in {metric.range} (got {bound})"
    # The wrong side alone lets every bad model through; beside the right one it guards against leakage.
    right, better = ("minimum", "more") if metric.greater_is_better else ("maximum", "less")
    if not any(_bounds_the_bad_side(other, metric) for other in gates):
        reason = f"{metric.name} is better when it is {better}, so the gate needs a {right}"
        yield f"gates.{place}.{side}: {reason} (got a {side})"


def _bounds_the_bad_side(gate: Gate, metric: Metric) -> bool:
    if gate.metric != metric.name:
        return False
    if isinstance(gate, ChampionGate):
        return True
    return gate.maximum is None if metric.greater_is_better else gate.minimum is None


def _column_problems(pipeline: Pipeline) -> Iterator[str]:
    features = pipeline.features or ()
    if pipeline.key == pipeline.target:
        yield f"key: it names a row, so it cannot be the target (got {pipeline.key!r})"
    if pipeline.target in features:
        yield f"features: the target may not be a feature (got {pipeline.target!r})"
    if pipeline.key is not None and pipeline.key in features:
        yield f"features: the key names a row and may not be a feature (got {pipeline.key!r})"
    repeated = sorted({name for name in features if features.count(name) > 1})
    if repeated:
        yield f"features: name each column once (got {', '.join(map(repr, repeated))} again)"
    if pipeline.labels is not None and pipeline.key is None:
        yield "key: labels are joined to predictions by it; name the column that identifies a row (got None)"


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
