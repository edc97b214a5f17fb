"""The evaluation report as a page: the verdict first, then the numbers that made it."""

import importlib
from collections.abc import Mapping
from typing import get_args

from mlops_core import pages
from mlops_core.evaluation.catalogue import Task, find_metric
from mlops_core.evaluation.chart import calibration_chart
from mlops_core.evaluation.report import (
    CandidateEvaluation,
    ConfusionMatrix,
    EvaluationReport,
    GateVerdict,
    ModelEvaluation,
)
from mlops_core.evaluation.sections import Part
from mlops_core.evaluation.wording import limits, number
from mlops_core.pages import Badge, Cell, Facts, Image, Section, Table, Text


def render(report: EvaluationReport, *, files: Mapping[str, bytes] | None = None) -> str:
    """Return the report as one self-contained HTML document.

    Parameters
    ----------
    files
        Pictures of its parts, by ``part/name``.
    """
    sections = [_verdict(report), _comparison(report)]
    if report.others:
        sections.append(_candidates(report))
    sections.extend(_tables(report.challenger, report.task))
    sections.extend(_parts(report, files or {}))
    sections.append(_provenance(report))
    rows = f"{report.holdout_rows:,} held-out rows of {', '.join(report.split.holdout_partitions)}"
    return pages.page(
        f"Evaluation of {report.pipeline}",
        subtitle=f"Candidate {report.challenger.candidate} on {rows}",
        badge=_badge(report.passed),
        sections=sections,
    )


def _badge(passed: bool) -> Badge:
    return Badge("pass", "passed") if passed else Badge("fail", "refused")


def _verdict(report: EvaluationReport) -> Section:
    rows = [(_spaced(verdict.gate), _badge(verdict.passed), verdict.reason) for verdict in report.verdicts]
    worn = [Text(_worn(report))] if report.is_worn else []
    return Section(
        "Verdict",
        [
            Text(_summary(report)),
            *worn,
            Table(header=("Gate", "Answer", "Why"), rows=rows),
        ],
        badge=_badge(report.passed),
    )


def _summary(report: EvaluationReport) -> str:
    who = f"Candidate {report.challenger.candidate}"
    if not report.verdicts:
        return f"{who} may not go to production: no gate was judged."
    refusals = [verdict for verdict in report.verdicts if not verdict.passed]
    if refusals:
        return f"{who} may not go to production: {len(refusals)} of {len(report.verdicts)} gates refused it."
    rival = (
        "There is no champion yet (cold start), so it was compared with nothing."
        if report.champion is None
        else f"Champion version {report.champion.version} was scored on the same rows."
    )
    return f"{who} may go to production: it passed {_all_of(report.verdicts)}. {rival}"


def _worn(report: EvaluationReport) -> str:
    return (
        f"These held-out rows have now decided {report.holdout_uses} times. Each decision fits the next"
        " challenger a little to them, so a pass says less than it seems: hold out rows that are new."
    )


def _all_of(verdicts: tuple[GateVerdict, ...]) -> str:
    return "its one gate" if len(verdicts) == 1 else f"all {len(verdicts)} gates"


def _comparison(report: EvaluationReport) -> Section:
    champion = report.champion
    differences = {difference.metric: difference for difference in report.differences}
    metrics = [score.metric for score in report.challenger.scores]
    metrics += [absent.metric for absent in report.challenger.missing]
    rows: list[tuple[Cell, ...]] = []
    for name in sorted(metrics, key=lambda metric: (metric != report.primary_metric, metric)):
        row: list[Cell] = [_spaced(name), _better(name), _score(report.challenger, name)]
        if champion is not None:
            change = differences.get(name)
            words = None if change is None else _interval(change.improvement, change.lower, change.upper, "+")
            row += [_score(champion, name), words]
        rows.append(tuple(row))
    header = ["Metric", "Better is", f"Challenger ({report.challenger.candidate})"]
    if champion is not None:
        header += [f"Champion (version {champion.version})", "Improvement"]
    blocks: list[pages.Block] = [Table(header=header, rows=rows)]
    blocks.append(
        Text(
            f"In brackets: {report.confidence * 100:g} % confidence interval from {report.resamples:,}"
            " bootstrap resamples of the rows. An improvement is signed so that more is better, and paired:"
            " both models saw the same resamples."
        )
    )
    if report.comparison is not None and report.comparison.is_corrected:
        blocks.append(Text(report.comparison.in_words()))
    return Section("Scores" if champion is None else "Challenger against champion", blocks)


def _candidates(report: EvaluationReport) -> Section:
    everyone = (report.challenger, *report.others)
    rows = [
        (candidate.candidate, _score(candidate, report.primary_metric), candidate.run_id)
        for candidate in everyone
    ]
    return Section(
        "Candidates",
        [
            Table(header=("Candidate", _spaced(report.primary_metric), "MLflow run"), rows=rows),
            Text(
                "The first became the challenger."
                " Being the best of several on these rows flatters its scores a little."
            ),
        ],
    )


def _tables(challenger: CandidateEvaluation, task: Task) -> list[Section]:
    sections = []
    if challenger.confusion_matrix is not None:
        sections.append(Section("Confusion matrix", [_confusion_table(challenger.confusion_matrix)]))
    if challenger.calibration:
        said = "prediction" if task is Task.REGRESSION else "probability"
        rows = [
            (f"{level.lower:.3g} to {level.upper:.3g}", level.rows, level.predicted, level.observed)
            for level in challenger.calibration
        ]
        table = Table(header=(f"Predicted {said}", "Rows", "Predicted mean", "Observed mean"), rows=rows)
        chart = Image(
            content=calibration_chart(challenger.calibration),
            media_type="image/svg+xml",
            alternative="Observed against predicted mean of each bin; the diagonal is perfect calibration",
        )
        sections.append(Section("Calibration", [Text(_CALIBRATION_WORDS[task]), chart, table]))
    return sections


def _parts(report: EvaluationReport, files: Mapping[str, bytes]) -> list[Section]:
    sections = []
    for part in get_args(Part):
        document = getattr(report.sections, part)
        if document is not None:
            module = importlib.import_module(f"mlops_core.evaluation.part_pages.{part}")
            own = {
                name.removeprefix(f"{part}/"): content
                for name, content in files.items()
                if name.startswith(f"{part}/")
            }
            sections.append(module.section(document, report=report, files=own))
    not_examined = Badge("fail", "not examined")
    sections.extend(
        Section(missing.part.capitalize(), [Text(missing.reason)], badge=not_examined)
        for missing in report.sections.unexamined
    )
    return sections


_CALIBRATION_WORDS = {
    Task.BINARY_CLASSIFICATION: "Of the rows given a probability, how many were truly positive.",
    Task.MULTICLASS_CLASSIFICATION: "Of the rows given a probability for their class, how many had it.",
    Task.REGRESSION: "Tenths of the rows by predicted value: what was predicted and what was observed.",
}


def _confusion_table(matrix: ConfusionMatrix) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, counts in zip(matrix.classes, matrix.counts, strict=True):
        total = sum(counts)
        cells = [f"{count:,} ({count / total:.1%})" if total else "0" for count in counts]
        rows.append((name, *cells, total))
    return Table(
        header=("True class", *(f"predicted {name}" for name in matrix.classes), "Rows"),
        rows=rows,
        caption="Rows by true class; the share is of that class.",
    )


def _provenance(report: EvaluationReport) -> Section:
    champion = report.champion
    return Section(
        "Where this comes from",
        [
            Facts(
                items=[
                    ("Snapshot", f"version {report.snapshot.version} of {report.snapshot.table_uri}"),
                    ("Snapshot digest", report.snapshot.digest),
                    ("Trained on", ", ".join(report.split.training_partitions)),
                    ("Held out", ", ".join(report.split.holdout_partitions)),
                    ("Rows without a target", report.dropped_rows),
                    ("Rows digest", report.rows_digest),
                    ("Decisions on these rows", report.holdout_uses),
                    ("Challenger", f"{report.challenger.model.uri}, digest {report.challenger.model.digest}"),
                    (
                        "Champion",
                        "none: cold start"
                        if champion is None
                        else f"{champion.model.uri}, digest {champion.model.digest}",
                    ),
                    ("MLflow run", report.challenger.run_id),
                    ("Ledger generation", report.generation),
                    ("Seed", report.seed),
                    ("Evidence digest", report.digest()),
                ]
            )
        ],
    )


def _spaced(name: str) -> str:
    """Names of metrics as words, which a narrow column can break."""
    return name.replace("_", " ")


def _better(metric: str) -> str:
    return "more" if find_metric(metric).greater_is_better else "less"


def _score(model: ModelEvaluation, metric: str) -> str:
    score = model.score(metric)
    if score is None:
        return f"none: {model.why_missing(metric)}"
    return _interval(score.value, score.lower, score.upper)


def _interval(value: float, lower: float, upper: float, sign: str = "") -> str:
    return f"{number(value, sign=sign)} ({limits(lower, upper, sign=sign)})"
