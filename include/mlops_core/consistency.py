"""What must fit together in a pipeline's declaration: each problem in a line that names its field. Light."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlops_core.errors import DeclarationError
from mlops_core.evaluation.catalogue import Metric, Task, find_metric, metrics_for
from mlops_core.gates import (
    AbsoluteGate,
    CalibrationGate,
    ChampionGate,
    FairnessGate,
    Gate,
    RobustnessGate,
    SliceGate,
)
from mlops_core.policies import REQUIRED_GATES
from mlops_core.runners import Docker

if TYPE_CHECKING:
    from mlops_core.pipeline import Candidate, Pipeline

_MOST_RESAMPLES = 100_000
"""Drawn for the comparison with the champion, at most: it must end in time whatever is declared."""

_EXAMINED_BY = {
    "slice": "slices",
    "fairness": "fairness",
    "latency": "serving",
    "size": "serving",
    "skew": "serving",
    "robustness": "robustness",
    "leakage": "leakage",
    "replay": "replay",
}
"""Which part of the evaluation policy measures what a kind of gate judges."""


def problems_of(pipeline: "Pipeline") -> Iterator[str]:
    """Return what is wrong across the fields of a declaration."""
    yield from _candidate_problems(pipeline)
    yield from _gate_problems(pipeline)
    yield from _ranking_problems(pipeline)
    yield from _comparison_problems(pipeline)
    yield from _examination_problems(pipeline)
    yield from _risk_problems(pipeline)
    yield from _column_problems(pipeline)


def _candidate_problems(pipeline: "Pipeline") -> Iterator[str]:
    names = [candidate.name for candidate in pipeline.candidates]
    for place, name in enumerate(names):
        if name in names[:place]:
            yield f"candidates.{place}.name: every candidate needs a name of its own (got {name!r} again)"
    for place, candidate in enumerate(pipeline.candidates):
        yield from _search_problems(pipeline, candidate, place=f"candidates.{place}")


def _search_problems(pipeline: "Pipeline", candidate: "Candidate", *, place: str) -> Iterator[str]:
    runner = candidate.runner or pipeline.runner
    if isinstance(runner, Docker) and (candidate.search or candidate.cross_validation):
        processes = runner.nodes * runner.processes_per_node
        if processes > 1:
            reason = "a search or a cross-validation fits in one process"
            yield f"{place}.runner: {reason}; this one starts {processes}"
    if candidate.search is None:
        return
    repeated = sorted(set(candidate.parameters) & set(candidate.search.parameters))
    if repeated:
        named = ", ".join(map(repr, repeated))
        yield f"{place}.search.parameters: {named} is declared in parameters too; leave it in one of both"
    if candidate.search.metric is not None:
        yield from _metric_problems(pipeline, candidate.search.metric, place=f"{place}.search.metric")


def _metric_problems(pipeline: "Pipeline", name: str, *, place: str) -> Iterator[str]:
    try:
        metric = find_metric(name)
    except DeclarationError as error:
        yield f"{place}: {error}"
        return
    if pipeline.task not in metric.tasks:
        fitting = ", ".join(metric.name for metric in metrics_for(pipeline.task))
        yield f"{place}: {name!r} does not judge {pipeline.task.value}; use {fitting}"


def _gate_problems(pipeline: "Pipeline") -> Iterator[str]:
    if not any(isinstance(gate, AbsoluteGate | ChampionGate) for gate in pipeline.gates):
        yield "gates: one absolute or champion gate is needed; its metric ranks the candidates (got none)"
    for place, gate in enumerate(pipeline.gates):
        if isinstance(gate, CalibrationGate) and pipeline.task is Task.REGRESSION:
            yield f"gates.{place}: calibration is of probabilities, and regression has none; leave it out"
        if not isinstance(gate, AbsoluteGate | ChampionGate | SliceGate | RobustnessGate):
            continue
        problems = list(_metric_problems(pipeline, gate.metric, place=f"gates.{place}.metric"))
        yield from problems
        if not problems and isinstance(gate, AbsoluteGate | SliceGate):
            yield from _bound_problems(gate, find_metric(gate.metric), place=place, gates=pipeline.gates)


def _ranking_problems(pipeline: "Pipeline") -> Iterator[str]:
    ranking = (gate for gate in pipeline.gates if isinstance(gate, AbsoluteGate | ChampionGate))
    gate = next(ranking, None)
    if gate is None or any(_metric_problems(pipeline, gate.metric, place="")):
        return
    if find_metric(gate.metric).grows_with_noise:
        yield (
            f"gates.{pipeline.gates.index(gate)}.metric: the metric of the first absolute or champion gate is"
            f" watched on windows of every size, and fewer rows alone make {gate.metric} worse; put a gate on"
            " another metric before it, for example brier_score"
        )


def _bound_problems(
    gate: AbsoluteGate | SliceGate, metric: Metric, *, place: int, gates: tuple[Gate, ...]
) -> Iterator[str]:
    if isinstance(gate, SliceGate) and gate.margin is not None:
        return
    side = "minimum" if gate.maximum is None else "maximum"
    bound = gate.minimum if gate.maximum is None else gate.maximum
    if bound is None or not metric.holds(bound):
        yield f"gates.{place}.{side}: {metric.name} lies in {metric.range} (got {bound})"
    # The wrong side alone lets every bad model through; beside the right one it guards against leakage.
    right, better = ("minimum", "more") if metric.greater_is_better else ("maximum", "less")
    if not any(_bounds_the_bad_side(other, metric, kind=gate.kind) for other in gates):
        reason = f"{metric.name} is better when it is {better}, so the gate needs a {right}"
        yield f"gates.{place}.{side}: {reason} (got a {side})"


def _bounds_the_bad_side(gate: Gate, metric: Metric, *, kind: str) -> bool:
    if isinstance(gate, ChampionGate):
        return kind == "absolute" and gate.metric == metric.name
    if not isinstance(gate, AbsoluteGate | SliceGate) or (gate.kind, gate.metric) != (kind, metric.name):
        return False
    return gate.maximum is None if metric.greater_is_better else gate.minimum is None


def _comparison_problems(pipeline: "Pipeline") -> Iterator[str]:
    count, declared = len(pipeline.candidates), pipeline.evaluation
    needed = declared.for_best_of(count)
    if needed.resamples > _MOST_RESAMPLES:
        yield (
            f"evaluation.confidence: the best of {count} candidates would be compared with the champion by"
            f" {needed.resamples:,} resamples, at most {_MOST_RESAMPLES:,} are drawn; lower the confidence,"
            f" or declare fewer candidates (got {declared.confidence})"
        )


def _examination_problems(pipeline: "Pipeline") -> Iterator[str]:
    for place, gate in enumerate(pipeline.gates):
        part = _EXAMINED_BY.get(gate.kind)
        if part is not None and getattr(pipeline.evaluation, part) is None:
            yield f"gates.{place}: a {gate.kind} gate judges what evaluation.{part} measures; declare it too"
    fairness, slices = pipeline.evaluation.fairness, pipeline.evaluation.slices
    for place, gate in enumerate(pipeline.gates):
        if isinstance(gate, FairnessGate) and fairness and gate.attribute not in fairness.sensitive:
            known = ", ".join(map(repr, fairness.sensitive))
            place_of = f"gates.{place}.attribute"
            yield f"{place_of}: evaluation.fairness.sensitive has {known} (got {gate.attribute!r})"
        if isinstance(gate, SliceGate) and slices:
            unknown = sorted(set(gate.columns or ()) - set(slices.columns))
            if unknown or not (gate.columns or slices.columns):
                known = ", ".join(map(repr, slices.columns)) or "none"
                yield f"gates.{place}.columns: evaluation.slices.columns has {known} (got {unknown or None})"
    if pipeline.task is Task.REGRESSION and fairness is not None:
        yield "evaluation.fairness: its measures compare decisions; a regression makes none; leave it out"


def _risk_problems(pipeline: "Pipeline") -> Iterator[str]:
    required = REQUIRED_GATES[pipeline.risk]
    if pipeline.task is Task.REGRESSION:
        required = required - {"calibration", "fairness"}
    missing = sorted(required - {gate.kind for gate in pipeline.gates})
    if missing:
        yield f"gates: a {pipeline.risk} risk needs the kinds {', '.join(missing)} too"
    if pipeline.risk == "high" and not pipeline.approval.approvers:
        yield "approval.approvers: a high risk needs named approvers (got none)"
    if pipeline.risk == "low" and pipeline.approval.approvers:
        yield "approval.approvers: a low risk is promoted without approval; declare risk='medium' or 'high'"


def _column_problems(pipeline: "Pipeline") -> Iterator[str]:
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
