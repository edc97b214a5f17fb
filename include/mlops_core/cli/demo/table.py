"""The demo's closing table."""

from rich.table import Table
from rich.text import Text

from mlops_core.cli.demo.outcome import Outcome, Summary
from mlops_core.cli.display import counted

_COLOURS = {
    "published": "green",
    "promoted": "green",
    "scored": "green",
    "rolled back": "cyan",
    "retrain": "cyan",
    "wait": "yellow",
    "refuse": "yellow",
    "refused": "magenta",
    "void": "magenta",
    "waits": "yellow",
    "verified": "green",
}


def closing_table(summary: Summary) -> Table:
    """Return every outcome as a row: step, what happened, decision, version, metric, seconds."""
    minutes = counted(summary.story_seconds)
    table = Table(
        title=f"{summary.model}: one model through its whole life, in {minutes}",
        title_style="bold",
        caption=f"platform healthy after {counted(summary.platform_seconds)}",
        header_style="bold",
        border_style="dim",
    )
    table.add_column("step")
    table.add_column("what happened", ratio=1)
    table.add_column("decision")
    table.add_column("version", justify="right")
    table.add_column("metric")
    table.add_column("s", justify="right")
    former = 0
    for outcome in summary.outcomes:
        if outcome.step != former and former:
            table.add_section()
        table.add_row(*_row(outcome, first=outcome.step != former))
        former = outcome.step
    if summary.problem is not None:
        table.add_section()
        table.add_row(
            "", Text("the story ended here: see below", "red"), Text("failed", "bold red"), "", "", ""
        )
    return table


def _row(outcome: Outcome, *, first: bool) -> tuple[Text, ...]:
    number = f"{outcome.step} " if first else "  "
    return (
        Text.assemble((number, "bold"), outcome.title),
        Text(outcome.happened),
        Text(outcome.decision, _COLOURS.get(outcome.decision, "")),
        Text("" if outcome.version is None else str(outcome.version)),
        Text("" if outcome.metric is None else str(outcome.metric)),
        Text(f"{outcome.seconds:.1f}"),
    )
