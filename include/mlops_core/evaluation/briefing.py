"""The evaluation report in a page of Markdown, for a person who must approve.

What data and people have named is quoted as code, so that it stays text wherever Markdown is shown.
"""

from collections.abc import Iterable, Sequence

from mlops_core.evaluation.report import EvaluationReport, ModelEvaluation
from mlops_core.evaluation.scores import Difference
from mlops_core.evaluation.sections import AttributeFairness, SliceEvaluation
from mlops_core.evaluation.wording import limits, number

_SLICES = 8
_NONE = "\N{EN DASH}"


def briefing(report: EvaluationReport, *, version: int, fit_seconds: float | None = None) -> str:
    """Show the candidate beside the champion: scores with intervals, gates, slices, fairness, cost.

    Parameters
    ----------
    fit_seconds
        Of the challenger's fit, if it is known.
    """
    parts = [
        _opening(report, version=version),
        _scores(report),
        _gates(report),
        _slices(report),
        _fairness(report),
        _cost(report, fit_seconds=fit_seconds),
    ]
    return "\n\n".join(part for part in parts if part)


def _opening(report: EvaluationReport, *, version: int) -> str:
    champion = report.champion
    rival = "there is no champion yet" if champion is None else f"champion is version {champion.version}"
    lines = [
        f"**Version {version} of {quoted(report.pipeline)}**, candidate "
        f"{quoted(report.challenger.candidate)}, risk {report.risk}; {rival}.",
        f"Judged on {report.holdout_rows:,} held-out rows of "
        f"{', '.join(map(quoted, report.split.holdout_partitions))}; evidence {quoted(report.digest())}.",
    ]
    if report.is_worn:
        lines.append(f"These rows have decided {report.holdout_uses} times: a pass says less than it seems.")
    return "\n\n".join(lines)


def _scores(report: EvaluationReport) -> str:
    champion = report.champion
    changes = {difference.metric: difference for difference in report.differences}
    rows = [
        (
            quoted(score.metric),
            _in_brackets(score.value, score.lower, score.upper),
            _score(champion, score.metric),
            _change(changes.get(score.metric)),
        )
        for score in report.challenger.scores
    ]
    table = _table("Scores", ("Metric", "Candidate", "Champion", "Improvement"), rows)
    comparison = report.comparison
    if not table or comparison is None or not comparison.is_corrected:
        return table
    return f"{table}\n\nIn brackets: {report.confidence * 100:g} % interval. {comparison.in_words()}"


def _gates(report: EvaluationReport) -> str:
    rows = [
        (quoted(verdict.gate), "passed" if verdict.passed else "**refused**", quoted(verdict.reason))
        for verdict in report.verdicts
    ]
    return _table("Gates", ("Gate", "Answer", "Why"), rows)


def _slices(report: EvaluationReport) -> str:
    section, metric = report.sections.slices, report.primary_metric
    if section is None:
        return ""
    scored = [part for part in section.slices if any(score.metric == metric for score in part.scores)]
    rows = [_slice_row(part, metric) for part in scored[:_SLICES]]
    return _table("Slices", ("Slice", "Rows", f"Candidate's {metric}", "Champion's"), rows)


def _slice_row(part: SliceEvaluation, metric: str) -> tuple[str, ...]:
    own, former = (
        next((score for score in scores if score.metric == metric), None)
        for scores in (part.scores, part.champion_scores)
    )
    return (
        quoted(part.name),
        f"{part.rows:,}",
        _NONE if own is None else _in_brackets(own.value, own.lower, own.upper),
        _NONE if former is None else _in_brackets(former.value, former.lower, former.upper),
    )


def _fairness(report: EvaluationReport) -> str:
    section = report.sections.fairness
    if section is None:
        return ""
    rows = [row for attribute in section.attributes for row in _fairness_rows(attribute)]
    return _table("Fairness", ("Attribute", "Measure", "Candidate", "Champion"), rows)


def _fairness_rows(attribute: AttributeFairness) -> Iterable[tuple[str, ...]]:
    former = {score.measure: score for score in attribute.champion_scores}
    for score in attribute.scores:
        other = former.get(score.measure)
        yield (
            quoted(attribute.attribute),
            quoted(score.measure),
            _in_brackets(score.value, score.lower, score.upper),
            _NONE if other is None else _in_brackets(other.value, other.lower, other.upper),
        )
    for missing in attribute.missing:
        yield (quoted(attribute.attribute), quoted(missing.metric), quoted(missing.reason), _NONE)


def _cost(report: EvaluationReport, *, fit_seconds: float | None) -> str:
    costs = [] if fit_seconds is None else [f"fitted in {fit_seconds:.3g} s"]
    serving = report.sections.serving
    if serving is not None:
        costs.append(
            f"one request takes {serving.p50_ms:.3g} ms (p50), {serving.p95_ms:.3g} ms (p95), "
            f"{serving.p99_ms:.3g} ms (p99)"
        )
        costs.append(f"its files have {serving.size_bytes / 1e6:.3g} MB")
    return f"**Cost:** {'; '.join(costs)}." if costs else ""


def _score(model: ModelEvaluation | None, metric: str) -> str:
    score = None if model is None else model.score(metric)
    return _NONE if score is None else _in_brackets(score.value, score.lower, score.upper)


def _change(difference: Difference | None) -> str:
    if difference is None:
        return _NONE
    return (
        f"{number(difference.improvement, sign='+')} ({limits(difference.lower, difference.upper, sign='+')})"
    )


def _in_brackets(value: float, lower: float, upper: float) -> str:
    return f"{number(value)} ({limits(lower, upper)})"


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [header, ["---"] * len(header), *rows]
    return f"**{title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def quoted(text: object) -> str:
    """Return a text as Markdown code that it cannot leave, also in a table's cell."""
    # A backslash before a bar would end the cell, whatever is done to the bar: neither is kept.
    safe = str(text).translate({ord("`"): "'", ord("|"): "\N{BROKEN BAR}", ord("\\"): "/"})
    return f"`{' '.join(safe.split()) or ' '}`"
