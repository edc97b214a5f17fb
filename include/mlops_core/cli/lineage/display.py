"""Lineage on a terminal."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlops_core.lineage.documents import (
    Origin,
    PartitionLineage,
    Period,
    Scoring,
    VersionLineage,
    VersionUse,
)

_DIGEST_LENGTH = 12


def show(lineage: VersionLineage | PartitionLineage, *, console: Console) -> None:
    """Print a lineage, upstream first; what could not be read comes last."""
    if isinstance(lineage, VersionLineage):
        _show_version(lineage, console)
    else:
        _show_partition(lineage, console)
    for gap in lineage.gaps:
        console.print(Text.assemble(("not known: ", "yellow"), gap))


def _show_version(lineage: VersionLineage, console: Console) -> None:
    record = lineage.version
    title = f"{record.model} version {record.version}"
    console.print(Text.assemble((title, "bold"), f"  digest {_short(record.digest)}"))
    if lineage.origin is not None:
        _show_origin(lineage.origin, console)
    _print(console, "in production", ("since", "until", "by"), _periods(lineage.production))
    _print(console, "deployed", ("since", "until", "by"), _periods(lineage.deployments))
    scored = [(one.partition, *_scoring(one)) for one in lineage.predictions]
    _print(console, "predictions", ("partition", *_SCORING), scored)
    if lineage.retirement is not None:
        retired = lineage.retirement
        console.print(Text(f"retired by {retired.actor} at {_minute(retired.at)}: {retired.reason}"))


def _show_origin(origin: Origin, console: Console) -> None:
    snapshot = origin.snapshot
    console.print(Text(f"candidate {origin.candidate}, run {origin.run_id}"))
    console.print(Text(f"code {'not known' if origin.code is None else origin.code}"))
    console.print(Text(f"caused by {origin.caused_by}"))
    console.print(
        Text(f"snapshot version {snapshot.version} of {snapshot.table_uri}, digest {_short(snapshot.digest)}")
    )
    rows = [(one.use, one.partition, _count(one.rows), _short(one.digest)) for one in origin.partitions]
    _print(console, "given", ("use", "partition", "rows", "digest"), rows)


def _show_partition(lineage: PartitionLineage, console: Console) -> None:
    console.print(Text(f"{lineage.model} partition {lineage.partition}", "bold"))
    held = [
        (_span(one.since.version, one.until_version), _count(one.rows), _short(one.digest), _minute(one.at))
        for one in lineage.contents
    ]
    _print(console, "held", ("snapshot versions", "rows", "digest", "published"), held)
    header = ("version", "snapshot version", "digest", "run")
    _print(console, "trained on it", header, _uses(lineage.trained))
    _print(console, "judged on it", header, _uses(lineage.held_out))
    scored = [(str(one.version), *_scoring(one)) for one in lineage.scored]
    _print(console, "scored it", ("version", *_SCORING), scored)


def _print(console: Console, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows:
        console.print(Text.assemble((title, "cyan"), "  none"))
        return
    table = Table(title=Text(title, "cyan"), title_justify="left", box=None, header_style="bold")
    for name in header:
        table.add_column(name, justify="right" if name in {"rows", "version"} else "left")
    for row in rows:
        # As text: a partition's name or a digest is never markup.
        table.add_row(*map(Text, row))
    console.print(table)


def _periods(periods: Iterable[Period]) -> list[tuple[str, str, str]]:
    return [
        (
            f"{one.since:%Y-%m-%d %H:%M:%S}",
            "now" if one.until is None else f"{one.until:%Y-%m-%d %H:%M:%S}",
            one.actor,
        )
        for one in periods
    ]


def _uses(uses: Iterable[VersionUse]) -> list[tuple[str, str, str, str]]:
    return [(str(one.version), str(one.snapshot_version), _short(one.digest), one.run_id) for one in uses]


_SCORING = ("rows", "table version", "at", "")


def _scoring(one: Scoring) -> tuple[str, str, str, str]:
    replaced = "replaced since" if one.replaced else ""
    return _count(one.rows), str(one.predictions.version), _minute(one.at), replaced


def _minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M}"


def _span(first: int, until: int | None) -> str:
    if until is None:
        return f"{first} to now"
    return str(first) if until == first + 1 else f"{first} to {until - 1}"


def _short(digest: str | None) -> str:
    return "not known" if digest is None else digest[:_DIGEST_LENGTH]


def _count(rows: int | None) -> str:
    return "not known" if rows is None else f"{rows:,}"
