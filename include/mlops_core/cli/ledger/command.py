"""The commands ``mlops history``, ``at``, ``audit verify`` and ``adopt``."""

import datetime as dt
import getpass
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console

from mlops_core.cli.addresses import tracking_uri_of
from mlops_core.cli.explained import FAILED, explained
from mlops_core.errors import DeclarationError
from mlops_core.operation import operation_key
from mlops_core.settings import Settings

if TYPE_CHECKING:
    from mlops_core.registry.audit import Anchor
    from mlops_core.registry.ledger import Ledger

app = typer.Typer()
audit_app = typer.Typer(
    no_args_is_help=True, help="The ledger's audit trail: one event for each decision, chained by hashes."
)
app.add_typer(audit_app, name="audit")

console = Console()

Model = Annotated[str, typer.Argument(help="Name of the model.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


@app.command()
@explained
def history(
    model: Model,
    everything: Annotated[
        bool, typer.Option("--all", help="Registrations, approvals, deployments and retirements too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what was in production, since when, and who decided why."""
    from mlops_core.cli.ledger import display

    with _open_ledger(model) as ledger:
        transitions, events = ledger.history(model), ledger.events(model)
    if as_json:
        _write_json([entry.model_dump(mode="json") for entry in (events if everything else transitions)])
    elif everything:
        console.print(display.events(events))
    elif transitions:
        console.print(display.transitions(transitions))
    else:
        console.print(f"no version of {model} was ever in production", markup=False)


@app.command()
@explained
def at(
    model: Model,
    date: Annotated[str, typer.Argument(help="2013-07-01, its end in UTC, or 2013-07-01T09:30+02:00.")],
    as_json: AsJson = False,
) -> None:
    """Show which version was in production on a date or at an instant."""
    from mlops_core.cli.ledger import display

    instant = instant_of(date)
    with _open_ledger(model) as ledger:
        version = ledger.in_production(model, at=instant)
        begun = [past for past in ledger.history(model) if past.at <= instant]
    if as_json:
        record = None if version is None else version.model_dump(mode="json")
        since = begun[-1].model_dump(mode="json") if begun else None
        _write_json({"model": model, "at": instant.isoformat(), "version": record, "transition": since})
    elif version is None:
        console.print(f"no version of {model} was in production at {instant.isoformat()}", markup=False)
    else:
        console.print(display.version(version, begun[-1], instant=instant))


@audit_app.command()
@explained
def verify(
    anchors: Annotated[
        Path | None,
        typer.Option(help="An earlier report, made with --json and kept where nobody can change it."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look for whatever was changed, removed or added behind the ledger's back.

    Exit code 0 if nothing was found, 1 if something was, or if there is nothing to verify. The ledger is
    compared with the heads that were noted last in the report store. Keep the report elsewhere and give it
    back as [bold]--anchors[/]: without either an end that was cut off everywhere goes unseen.
    """
    from mlops_core.cli.ledger import display
    from mlops_core.registry.anchors import noted_heads
    from mlops_core.registry.audit import verify as verify_ledger
    from mlops_core.registry.ledger import Ledger
    from mlops_core.reports import ReportStore

    settings = Settings.from_environment()
    kept = {} if anchors is None else _read_anchors(anchors)
    # Read first: the ledger is then no older than the note that it is compared with.
    noted = noted_heads(ReportStore(settings.reports_path))
    with Ledger(settings.ledger_url) as ledger:
        report = verify_ledger(ledger, anchors=kept, noted=None if noted is None else noted.heads)
    if as_json:
        told = None if noted is None else noted.model_dump(mode="json")
        _write_json({"sound": report.sound, **report.model_dump(mode="json"), "noted": told})
    else:
        display.show_audit(report, console=console)
        display.show_anchors(noted, given=anchors, reports=settings.reports_path, console=console)
    raise typer.Exit(0 if report.sound else FAILED)


@app.command()
@explained
def adopt(
    model: Model,
    reason: Annotated[str, typer.Option(help="Why, for the audit trail.")],
    version: Annotated[
        int | None, typer.Option(min=1, help="Which; by default what MLflow's alias champion names.")
    ] = None,
) -> None:
    """Put a version into production and have it served: one that a person has chosen, past the gates.

    Its signature and files are verified, and one that was rejected last is refused. Nothing else makes a
    champion last that was set by hand in MLflow: the alias is soon put back.
    """
    from mlops_core.registry.adoption import adopt_manual_change
    from mlops_core.tracking import tracking_client

    settings = Settings.from_environment()
    with _open_ledger(model) as ledger:
        former = ledger.state(model).generation
        transition = adopt_manual_change(
            model,
            ledger=ledger,
            client=tracking_client(tracking_uri_of(settings)),
            reason=reason,
            actor=getpass.getuser(),
            operation_key=operation_key("adopt", model, former, version or "alias"),
            version=version,
            deploys=True,
        )
        mirrored = ledger.is_mirrored(model)
    done = f"adopted version {transition.version} of {model}"
    if transition.generation <= former:
        done = (
            f"version {transition.version} of {model} was adopted by {transition.actor} already: "
            f"{transition.reason}"
        )
    console.print(f"{done}: generation {transition.generation}; the model server takes it now", markup=False)
    if not mirrored:
        console.print(
            "MLflow's aliases do not show it yet: the DAG mlops__reconcile sets them",
            markup=False,
        )


def instant_of(date: str) -> dt.datetime:
    """Return the instant that a user wrote; the last one of the day in UTC where it is only a date.

    Raises
    ------
    DeclarationError
        If it is neither, or an instant without a time zone.
    """
    try:
        day = dt.date.fromisoformat(date)
    except ValueError:
        pass
    else:
        return dt.datetime.combine(day, dt.time.max, tzinfo=dt.UTC)
    try:
        instant = dt.datetime.fromisoformat(date)
    except ValueError as error:
        raise DeclarationError(f"not a date: {date!r}; write 2013-07-01 or 2013-07-01T09:30+02:00") from error
    if instant.tzinfo is None:
        raise DeclarationError(f"{date!r} names no time zone; write {date}Z for UTC, or {date}+02:00")
    return instant.astimezone(dt.UTC)


def _open_ledger(model: str) -> "Ledger":
    from mlops_core.registry.ledger import Ledger

    ledger = Ledger(Settings.from_environment().ledger_url)
    ledger.require_present()
    known = ledger.models()
    if model not in known:
        raise DeclarationError(
            f"the ledger knows no model {model!r}; models it knows: {', '.join(known) or 'none'}"
        )
    return ledger


def _read_anchors(path: Path) -> "dict[str, Anchor]":
    try:
        report = json.loads(path.read_text())
        heads = TypeAdapter(dict[str, tuple[int, str]]).validate_python(report["heads"])
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise DeclarationError(
            f"{path} holds no anchors: {error}; make them with: mlops audit verify --json"
        ) from error
    if not heads:
        raise DeclarationError(
            f"{path} holds no anchors: its heads are empty; make them with: mlops audit verify --json"
        )
    return heads


def _write_json(document: object) -> None:
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
