"""What was examined beside the scores, part by part; what was not examined is said to be so."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

from mlops_core.evaluation.scores import Score
from mlops_core.evaluation.sections import (
    ExplanationSection,
    FairnessSection,
    LeakageSection,
    Part,
    ReplaySection,
    RobustnessSection,
    Sections,
    ServingSection,
    SliceSection,
)
from mlops_core.evaluation.wording import limits, number
from mlops_core.pages import Block, Cell, Facts, Section, Table, Text

_MEGABYTE = 1e6
_STRONGEST = 20


def examined_sections(sections: Sections) -> Iterator[Section]:
    """Return a section for each part that was examined, and one that names the others with the reason."""
    parts: tuple[Part, ...] = get_args(Part)
    for part in parts:
        found = getattr(sections, part)
        if found is not None:
            yield Section(part.capitalize(), _BLOCKS[part](found))
    missing = [part for part in parts if getattr(sections, part) is None]
    if missing:
        rows = [(part, sections.why_unexamined(part)) for part in missing]
        yield Section("Not examined", [Table(header=("Part", "Why"), rows=rows)])


def _slices(found: SliceSection) -> Sequence[Block]:
    metrics = sorted({score.metric for one in found.slices for score in one.scores})
    rows = [
        (
            one.name,
            "found" if one.found else "declared",
            one.rows,
            *(_interval(_of(one.scores, metric)) for metric in metrics),
        )
        for one in found.slices
    ]
    return [Table(header=("Slice", "Chosen", "Rows", *metrics), rows=rows)]


def _fairness(found: FairnessSection) -> Sequence[Block]:
    blocks: list[Block] = []
    for attribute in found.attributes:
        measures = [(score.measure, _interval(score)) for score in attribute.scores]
        measures += [(absent.metric, f"none: {absent.reason}") for absent in attribute.missing]
        rows = [
            (
                group.group,
                group.rows,
                group.selection_rate,
                group.true_positive_rate,
                group.false_positive_rate,
                group.compared,
            )
            for group in attribute.groups
        ]
        blocks += [
            Table(header=("Measure", "Value"), rows=measures, caption=f"By {attribute.attribute}"),
            Table(
                header=("Group", "Rows", "Selected", "True positive", "False positive", "Compared"),
                rows=rows,
            ),
        ]
    return blocks


def _explanation(found: ExplanationSection) -> Sequence[Block]:
    rows = [
        (one.feature, one.mean_absolute, f"{one.share:.1%}", _share(one.champion_share))
        for one in found.importance[:_STRONGEST]
    ]
    table = Table(header=("Feature", "Mean absolute SHAP value", "Share", "Champion's share"), rows=rows)
    return [table, Text(f"{found.method}, {found.rows:,} held-out rows.")]


def _robustness(found: RobustnessSection) -> Sequence[Block]:
    rows: list[tuple[Cell, ...]] = [
        (one.perturbation, one.metric, number(one.value), number(one.loss, sign="+")) for one in found.scores
    ]
    rows += [(absent.metric, None, f"none: {absent.reason}", None) for absent in found.missing]
    return [Table(header=("Perturbation", "Metric", "Value", "Loss"), rows=rows)]


def _serving(found: ServingSection) -> Sequence[Block]:
    facts: list[tuple[str, Cell]] = [
        ("Requests", f"{found.requests:,} of {found.rows_a_request:,} rows each"),
        ("p50, p95, p99, ms", f"{found.p50_ms:.3g}, {found.p95_ms:.3g}, {found.p99_ms:.3g}"),
        ("Load, seconds", found.load_seconds),
        ("Peak memory, MB", found.peak_memory_mb),
        ("Files, MB", found.size_bytes / _MEGABYTE),
        ("Largest difference to the fitted model", found.skew.largest_difference),
        ("Labels that differ from the fitted model", found.skew.differing_labels),
    ]
    return [Facts(items=facts)]


def _leakage(found: LeakageSection) -> Sequence[Block]:
    rows = [(one.feature, one.power) for one in found.powers[:_STRONGEST]]
    overlap = f"{found.overlapping_rows:,} of {found.holdout_rows:,} held-out rows are training rows too."
    return [
        Table(header=("Feature alone", "Power (0 is chance, 1 perfection)"), rows=rows),
        Text(overlap),
    ]


def _replay(found: ReplaySection) -> Sequence[Block]:
    if not found.windows:
        return [Text("Nothing was ever served, so there was nothing to replay.")]
    rows = [
        (one.partition, one.version, one.rows, one.disagreeing_rows, one.mean_change) for one in found.windows
    ]
    return [
        Table(header=("Window", "Served by", "Rows", "Disagreeing", "Mean change of the score"), rows=rows)
    ]


_BLOCKS: dict[Part, Callable[[Any], Sequence[Block]]] = {
    "slices": _slices,
    "fairness": _fairness,
    "explanation": _explanation,
    "robustness": _robustness,
    "serving": _serving,
    "leakage": _leakage,
    "replay": _replay,
}


def _of(scores: Sequence[Score], metric: str) -> Score | None:
    return next((score for score in scores if score.metric == metric), None)


def _interval(score: Any) -> Cell:
    return None if score is None else f"{number(score.value)} ({limits(score.lower, score.upper)})"


def _share(share: float | None) -> Cell:
    return None if share is None else f"{share:.1%}"
