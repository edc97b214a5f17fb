"""What is known not to be good about a version, computed from its evidence. Nothing here is a verdict."""

import math
from collections.abc import Iterator
from typing import get_args

from mlops_core.evaluation.catalogue import find_metric
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.evaluation.scores import Score
from mlops_core.evaluation.sections import Part, SliceEvaluation
from mlops_core.evaluation.wording import limits, number
from mlops_core.training.environment import CodeVersion

_WIDE_SHARE = 0.1
"""Width of an interval, as a share of the metric's range (of the value where it has none), called wide."""

_MANY_DROPPED = 0.05
_LISTED = 5


def known_limits(report: EvaluationReport, *, code: CodeVersion | None) -> tuple[str, ...]:
    """Return one sentence a limit, the gravest kinds first.

    Parameters
    ----------
    code
        The version of the code that fitted the model.
    """
    return tuple(
        sentence
        for kind in (
            _comparison(report),
            _weakest_slice(report),
            _small_groups(report),
            _uncertainty(report),
            _worst_perturbation(report),
            _held_out_rows(report),
            _unexamined(report),
            _code(code),
        )
        for sentence in kind
    )


def _comparison(report: EvaluationReport) -> Iterator[str]:
    if report.cold_start:
        yield "No version was in production to compare it with (cold start)."
    if report.others:
        count = len(report.others) + 1
        yield (
            f"It is the best of {count} candidates on the same held-out rows that its scores are of, which "
            "flatters them a little."
        )


def _weakest_slice(report: EvaluationReport) -> Iterator[str]:
    whole = report.challenger.score(report.primary_metric)
    if report.sections.slices is None or whole is None:
        return
    metric = find_metric(report.primary_metric)
    scored = [
        (metric.improvement(score.value, over=whole.value), one, score)
        for one in report.sections.slices.slices
        for score in one.scores
        if score.metric == metric.name
    ]
    worse = [entry for entry in scored if entry[0] < 0]
    if worse:
        _, weakest, score = min(worse, key=lambda entry: (entry[0], entry[1].name))
        yield (
            f"It is weakest where {weakest.name} ({weakest.rows:,} rows): {metric.name} "
            f"{_interval(score)}, {number(whole.value)} on all held-out rows."
        )


def _small_groups(report: EvaluationReport) -> Iterator[str]:
    sections = report.sections
    if sections.slices is not None:
        small = [one for one in sections.slices.slices if _is_small(one, sections.slices.minimum_rows)]
        if small:
            yield (
                f"Too few rows to score (fewer than {sections.slices.minimum_rows}): "
                f"{_listed([f'{one.name} ({one.rows:,})' for one in small])}."
            )
    if sections.fairness is not None:
        for attribute in sections.fairness.attributes:
            left_out = [f"{group.group} ({group.rows:,})" for group in attribute.groups if not group.compared]
            if left_out:
                yield (
                    f"Groups of {attribute.attribute} too small to compare (fewer than "
                    f"{sections.fairness.minimum_rows} rows): {_listed(left_out)}."
                )


def _is_small(one: SliceEvaluation, minimum_rows: int) -> bool:
    return not one.scores and one.rows < minimum_rows


def _uncertainty(report: EvaluationReport) -> Iterator[str]:
    wide = [score for score in report.challenger.scores if _is_wide(score)]
    if wide:
        told = [f"{score.metric} {_interval(score)}" for score in wide]
        yield f"Wide intervals, for {report.holdout_rows:,} held-out rows: {_listed(told)}."
    for absent in report.challenger.missing:
        yield f"There is no {absent.metric}: {absent.reason}."


def _is_wide(score: Score) -> bool:
    metric = find_metric(score.metric)
    width = score.upper - score.lower
    span = metric.upper - metric.lower
    return width > _WIDE_SHARE * (span if math.isfinite(span) else abs(score.value))


def _worst_perturbation(report: EvaluationReport) -> Iterator[str]:
    if report.sections.robustness is None:
        return
    losses = [one for one in report.sections.robustness.scores if one.metric == report.primary_metric]
    worst = max(losses, key=lambda one: one.loss, default=None)
    if worst is not None and worst.loss > 0:
        yield (
            f"Under {worst.perturbation} its {worst.metric} falls behind by {number(worst.loss)}, "
            f"to {number(worst.value)}."
        )


def _held_out_rows(report: EvaluationReport) -> Iterator[str]:
    partitions = report.split.holdout_partitions
    if len(partitions) == 1:
        yield f"It was judged on one partition alone ({partitions[0]}): other times may differ."
    if report.holdout_uses > 1:
        worn = "; they are worn out" if report.is_worn else ""
        yield f"The held-out rows have decided {report.holdout_uses} times, this time included{worn}."
    seen = report.holdout_rows + report.dropped_rows
    if seen and report.dropped_rows / seen > _MANY_DROPPED:
        yield (
            f"{report.dropped_rows:,} of {seen:,} held-out rows have no target and were not scored: "
            "what is known of the others need not hold for them."
        )
    leakage = report.sections.leakage
    if leakage is not None and leakage.overlapping_rows:
        yield f"{leakage.overlapping_rows:,} of {leakage.holdout_rows:,} held-out rows are training rows too."


def _unexamined(report: EvaluationReport) -> Iterator[str]:
    failed = {missing.part for missing in report.sections.unexamined}
    parts: tuple[Part, ...] = get_args(Part)
    undeclared = [part for part in parts if getattr(report.sections, part) is None and part not in failed]
    if undeclared:
        yield f"Not examined: {', '.join(undeclared)}."
    for missing in report.sections.unexamined:
        yield f"Could not be examined: {missing.part}: {missing.reason}."


def _code(code: CodeVersion | None) -> Iterator[str]:
    if code is None:
        yield "It is not known which code fitted it."
    elif code.modified:
        yield f"The code that fitted it differed from commit {code.commit}, and the difference is not kept."


def _interval(score: Score) -> str:
    return f"{number(score.value)} ({limits(score.lower, score.upper)})"


def _listed(items: list[str]) -> str:
    more = f" and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return ", ".join(items[:_LISTED]) + more
