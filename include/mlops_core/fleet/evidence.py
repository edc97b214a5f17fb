"""The numbers on which a version was judged, as a person compares them."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from mlops_core.document import Document
from mlops_core.errors import MlopsError
from mlops_core.registry.records import EvaluationRecord

if TYPE_CHECKING:
    from mlops_core.evaluation.report import EvaluationReport, ModelEvaluation

ReadReport = Callable[[EvaluationRecord], "EvaluationReport"]

_log = logging.getLogger(__name__)


class GateLine(Document):
    """One gate: what was compared with which bound, and why it answered so."""

    gate: str
    passed: bool
    value: str
    bound: str
    reason: str


class Estimate(Document):
    """A number and its confidence interval as text; where there is none, ``value`` says why."""

    value: str
    interval: str = ""


class ScoreLine(Document):
    """One metric of the candidate beside the champion's."""

    metric: str
    more_is_better: bool
    primary: bool
    candidate: Estimate
    champion: Estimate | None
    improvement: Estimate | None


class Numbers(Document):
    """What the evaluation report says."""

    gates: tuple[GateLine, ...]
    scores: tuple[ScoreLine, ...]
    champion_version: int | None
    holdout: str
    intervals: str
    warning: str = ""


class Evidence(Document):
    """One evaluation, and its numbers if the report could be read."""

    record: EvaluationRecord
    numbers: Numbers | None = None
    problem: str = ""


def read_evidence(record: EvaluationRecord, *, read: ReadReport) -> Evidence:
    """Read a report; when that fails, say why instead."""
    try:
        return Evidence(record=record, numbers=numbers_of(read(record)))
    except MlopsError as error:
        return Evidence(record=record, problem=str(error))
    except Exception as error:  # noqa: BLE001
        # A page about a model must come up whatever its report is like.
        _log.exception("could not read evaluation report %s", record.evidence_digest)
        return Evidence(record=record, problem=f"the report cannot be read: {type(error).__name__}")


def numbers_of(report: "EvaluationReport") -> Numbers:
    """Return the report's gates and scores as text, rounded for reading."""
    rows = f"{report.holdout_rows:,} held-out rows of {', '.join(report.split.holdout_partitions)}"
    return Numbers(
        gates=_gates(report),
        scores=_scores(report),
        champion_version=None if report.champion is None else report.champion.version,
        holdout=rows,
        intervals=_intervals(report),
        warning=f"These rows have decided {report.holdout_uses} times" if report.is_worn else "",
    )


def _intervals(report: "EvaluationReport") -> str:
    own, comparison = f"{report.confidence * 100:g} % confidence interval", report.comparison
    if comparison is None or not comparison.is_corrected:
        return own
    return f"{own}; below an improvement the {comparison.interval}, {comparison.reason}"


def _gates(report: "EvaluationReport") -> tuple[GateLine, ...]:
    from mlops_core.evaluation.wording import number

    refused_first = sorted(report.verdicts, key=lambda verdict: verdict.passed)
    return tuple(
        GateLine(
            gate=verdict.gate,
            passed=verdict.passed,
            value="" if verdict.value is None else number(verdict.value),
            bound="" if verdict.bound is None else number(verdict.bound),
            reason=verdict.reason,
        )
        for verdict in refused_first
    )


def _scores(report: "EvaluationReport") -> tuple[ScoreLine, ...]:
    from mlops_core.evaluation import metrics as _metrics  # noqa: F401  registers the metrics
    from mlops_core.evaluation.catalogue import find_metric

    names = [score.metric for score in report.challenger.scores]
    names += [absent.metric for absent in report.challenger.missing]
    improvements = {change.metric: change for change in report.differences}
    lines = []
    for name in sorted(names, key=lambda name: (name != report.primary_metric, name)):
        change = improvements.get(name)
        lines.append(
            ScoreLine(
                metric=name,
                more_is_better=find_metric(name).greater_is_better,
                primary=name == report.primary_metric,
                candidate=_score(report.challenger, name),
                champion=None if report.champion is None else _score(report.champion, name),
                improvement=None
                if change is None
                else _estimate(change.improvement, change.lower, change.upper, sign="+"),
            )
        )
    return tuple(lines)


def _score(model: "ModelEvaluation", metric: str) -> Estimate:
    score = model.score(metric)
    if score is None:
        return Estimate(value=f"none: {model.why_missing(metric)}")
    return _estimate(score.value, score.lower, score.upper)


def _estimate(value: float, lower: float, upper: float, *, sign: str = "") -> Estimate:
    from mlops_core.evaluation.wording import limits, number

    return Estimate(value=number(value, sign=sign), interval=limits(lower, upper, sign=sign))
