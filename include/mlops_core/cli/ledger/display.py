"""How the ledger looks in a terminal of 100 columns."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlops_core.registry.anchors import AnchorDocument
from mlops_core.registry.audit import AuditReport
from mlops_core.registry.records import LedgerEvent, Transition, VersionRecord

_COLOURS = {
    "promote": "green",
    "approve": "green",
    "roll_back": "yellow",
    "adopt": "yellow",
    "reject": "red",
    "retire": "dim",
}


def transitions(past: Iterable[Transition]) -> Table:
    """Return the transitions, one a row, the first one first."""
    table = _table("generation", "what", "version", "at (UTC)", "who", "why")
    for move in past:
        table.add_row(
            _cell(move.generation), _kind(move.kind), _cell(move.version), _instant(move.at), *_words(move)
        )
    return table


def events(past: Iterable[LedgerEvent]) -> Table:
    """Return the audit trail, one event a row, the first one first."""
    table = _table("event", "what", "version", "at (UTC)", "who", "why")
    for event in past:
        table.add_row(
            _cell(event.sequence), _kind(event.kind), _cell(event.version), _instant(event.at), *_words(event)
        )
    return table


def version(record: VersionRecord, begun: Transition, *, instant: datetime) -> Table:
    """Return what is known of the version that was in production at an instant."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    signature = "none" if record.signature is None else f"by the key {record.signature.key_id}"
    rows = {
        "in production at": instant.isoformat(),
        "version": f"{record.version} of {record.model}",
        "since": f"{_instant(begun.at)} UTC, generation {begun.generation}",
        "by": f"{begun.actor} ({begun.kind})",
        "why": begun.reason,
        "files": record.digest,
        "stored at": record.uri,
        "run": record.run_id,
        "evidence": record.evidence_digest or "none",
        "signature": signature,
    }
    for name, said in rows.items():
        table.add_row(name, Text(said))
    return table


def show_audit(report: AuditReport, *, console: Console) -> None:
    """Print what an audit found, and the anchors to keep."""
    counted = f"{report.events} events of {len(report.models)} models"
    if report.sound:
        console.print(f"[green]sound[/]: {counted}", highlight=False)
    elif not report.findings:
        console.print("[bold red]nothing to verify[/]: the ledger has no events", highlight=False)
    else:
        console.print(
            f"[bold red]not sound[/]: {len(report.findings)} findings in {counted}", highlight=False
        )
        table = _table("model", "event", "what is wrong")
        for finding in report.findings:
            sequence = "" if finding.sequence is None else str(finding.sequence)
            table.add_row(Text(finding.model), sequence, Text(finding.problem))
        console.print(table)
    for model, (last, head) in report.heads.items():
        console.print(f"head of {model}: {last} {head}", markup=False, highlight=False, soft_wrap=True)


def show_anchors(
    noted: AnchorDocument | None, *, given: Path | None, reports: Path, console: Console
) -> None:
    """Print with which anchors a ledger was compared, and of when they are."""
    if given is not None:
        _line(f"compared with {given}", console=console)
    if noted is not None:
        by = "unsigned" if noted.signature is None else f"signed by the key {noted.signature.key_id}"
        _line(f"compared with the heads noted at {noted.at.isoformat()}, {by}, in {reports}", console=console)
    else:
        _line(f"no heads are noted in {reports}", console=console)
    if given is None and noted is None:
        _line("without an anchor an end that was cut off everywhere goes unseen", console=console)


def _line(text: str, *, console: Console) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _table(*headers: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold", no_wrap=header in {"at (UTC)", "what"})
    return table


def _kind(kind: str) -> Text:
    return Text(kind.replace("_", " "), style=_COLOURS.get(kind, ""))


def _words(entry: Transition | LedgerEvent) -> Sequence[Text]:
    return _cell(entry.actor), _cell(entry.reason)


def _cell(value: object) -> Text:
    # What people wrote, or put into the database, is text and no markup.
    return Text(str(value))


def _instant(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S")
