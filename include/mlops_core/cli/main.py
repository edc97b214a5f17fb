"""The ``mlops`` command."""

import json
import sys
from typing import Annotated

import typer
from rich.console import Console

from mlops_core.cli import display
from mlops_core.cli.embedded.containers import remove_containers
from mlops_core.cli.embedded.home import Home
from mlops_core.cli.embedded.lifecycle import EmbeddedPlatform
from mlops_core.cli.explained import FAILED, NOT_RUNNING, explained
from mlops_core.cli.ledger.command import app as ledger_app

console = Console()

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="The whole life of a machine-learning model as Airflow DAGs, on this machine.\n\n"
    "State lies in one home, [bold]./.mlops[/] or [bold]MLOPS_HOME[/]. Every service listens on 127.0.0.1 "
    "alone; ports: [bold]MLOPS_AIRFLOW_PORT[/] (8080), [bold]MLOPS_MLFLOW_PORT[/] (5000), "
    "[bold]MLOPS_MODEL_SERVER_PORT[/] (8000).\n\nExit codes: 0 done; 1 refused or failed; "
    "2 used or declared wrongly; 3 not running; 130 interrupted.",
)

stack_app = typer.Typer(
    no_args_is_help=True,
    help="The platform in containers: Airflow on Celery, MLflow and the model server, on PostgreSQL and "
    "Redis.\n\nNeeds a Docker engine with Docker Compose 2. [bold]MLOPS_STACK_NAME[/] names one of several; "
    "the ports are those of the embedded platform.",
)
app.add_typer(stack_app, name="stack")

keys_app = typer.Typer(
    no_args_is_help=True,
    help="The pair of keys that signs model versions, and the public keys that are trusted.\n\n"
    "They lie in the home; [bold]MLOPS_SIGNING_KEY[/] and [bold]MLOPS_TRUSTED_KEYS[/] move them.",
)
app.add_typer(keys_app, name="keys")

# What looks into the ledger stands beside the commands below: history, at, audit, adopt.
app.add_typer(ledger_app)


@app.command()
@explained
def up() -> None:
    """Start the embedded platform: Airflow, MLflow and the model server.

    Starts what does not run yet and returns when everything is healthy. DAG files come from [bold]./dags[/],
    or from [bold]MLOPS_DAGS_FOLDER[/].
    """
    home = Home.from_environment()
    with display.startup(console) as watcher:
        started = EmbeddedPlatform(home, watcher=watcher).up()
    for name in started.stale:
        console.print(f"[yellow]stale record[/] of {name}: its process has ended; started anew")
    if started.started:
        console.print(f"[green]healthy[/] in {started.seconds:.1f} s")
    else:
        console.print("[green]already up[/]")
    console.print(display.addresses(home, started.ports))


@app.command()
@explained
def down(
    wipe: Annotated[
        bool, typer.Option("--wipe", help="Delete the home as well: data, models, logs.")
    ] = False,
) -> None:
    """End the embedded platform, and nothing that it did not start."""
    home = Home.from_environment()
    with console.status("ending"):
        ended = EmbeddedPlatform(home).down()
    if ended.services:
        by_force = f" ({ended.killed} by force)" if ended.killed else ""
        console.print(f"ended {len(ended.services)} services in {ended.seconds:.1f} s{by_force}")
    else:
        console.print(f"nothing runs in {home.root}")
    if wipe and home.root.exists():
        if removed := remove_containers(home):
            console.print(f"removed {removed} containers that its tasks had started")
        home.remove()
        console.print(f"deleted {home.root}")


@app.command()
@explained
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show which services run, and how they are.

    Exit code 0 when all are healthy, 1 when one is not, 3 when nothing runs.
    """
    home = Home.from_environment()
    platform = EmbeddedPlatform(home)
    statuses = platform.status()
    if as_json:
        sys.stdout.write(json.dumps(display.status_document(home, statuses), indent=2) + "\n")
    elif not statuses:
        console.print(f"nothing runs in {home.root}; start it with: mlops up")
    else:
        console.print(display.status_table(statuses))
        console.print(f"home {home.root}")
    raise typer.Exit(display.status_code(statuses, not_running=NOT_RUNNING, unhealthy=FAILED))


@app.command()
@explained
def demo() -> None:
    """Take one real model through its whole life, through Airflow's REST API as a user would.

    Starts from a clean home, tells each step, writes [bold]summary.json[/] into the home and leaves the
    platform running. What the data decide is reported as it happens; exit code 1 means that something went
    otherwise than it must, and the log of the failed task is shown.
    """
    from mlops_core.cli.demo.performance import Performance

    Performance(Home.from_environment(), console).play()


@app.command()
@explained
def check(
    model: Annotated[str, typer.Argument(help="Package of the model, or module:NAME of its pipeline.")],
    partition: Annotated[
        list[str] | None,
        typer.Option("--partition", help="To try it on; repeat it. By default what the pipeline names."),
    ] = None,
    rows: Annotated[int, typer.Option(min=50, help="Of each partition, after validation.")] = 2000,
    trace: Annotated[bool, typer.Option("--trace", help="Show whole tracebacks.")] = False,
) -> None:
    """Validate a model's declaration and run every stage on a small sample, without any server.

    Whole partitions are loaded and validated; a sample of them is published, trained on, evaluated,
    registered, promoted, scored and watched in a temporary folder. Then the DAGs are listed. A gate that
    would refuse a model of the sample is a note and no failure.
    """
    from mlops_core.cli.check.command import check as run_check

    good = run_check(model, partitions=tuple(partition or ()), rows=rows, console=console, show_trace=trace)
    if not good:
        raise typer.Exit(FAILED)


@app.command()
@explained
def lineage(
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[
        int | None, typer.Option("--version", min=1, help="By default the one in production.")
    ] = None,
    partition: Annotated[
        str | None, typer.Option("--partition", help="What became of it, instead of a version.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show where a version comes from and what it made, or which versions saw a partition."""
    from mlops_core.cli.lineage.command import trace
    from mlops_core.cli.lineage.display import show

    found = trace(model, version=version, partition=partition)
    if as_json:
        sys.stdout.write(found.model_dump_json(indent=2) + "\n")
    else:
        show(found, console=console)


@app.command()
@explained
def reproduce(
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[int, typer.Argument(min=1, help="Its number.")],
    environment: Annotated[
        str, typer.Option(help="recorded: its packages and its commit; current: what is here.")
    ] = "recorded",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Fit a version again from what was recorded, and say whether it is the same.

    Exit code 0 when it is identical, or equal within the tolerance; 1 when it is different.
    """
    from mlops_core.cli.reproduction.command import reproduce as run_reproduce
    from mlops_core.cli.reproduction.display import show as show_report

    report = run_reproduce(model, version, environment=environment)
    if as_json:
        sys.stdout.write(report.model_dump_json(indent=2) + "\n")
    else:
        show_report(report, console=console)
    if not report.succeeded:
        raise typer.Exit(FAILED)


@keys_app.command("make")
@explained
def keys_make() -> None:
    """Make a pair of keys, or have the public half of the one that is there trusted."""
    from mlops_core.cli.keys.command import known_keys, make_keys
    from mlops_core.cli.keys.display import show

    key_id, is_new = make_keys()
    console.print(f"{'made' if is_new else 'adopted'} the key {key_id}", highlight=False)
    show(known_keys(), console=console)


@keys_app.command("list")
@explained
def keys_list(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show which keys are trusted, and which of them signs here."""
    from mlops_core.cli.keys.command import known_keys
    from mlops_core.cli.keys.display import show

    keys = known_keys()
    if as_json:
        sys.stdout.write(keys.model_dump_json(indent=2) + "\n")
    else:
        show(keys, console=console)


@keys_app.command("sign")
@explained
def keys_sign(model: str, version: int, reason: Annotated[str, typer.Option(help="Why.")]) -> None:
    """Vouch for a version of the ledger that no trusted key has signed, after its files are compared."""
    from mlops_core.cli.keys.sign import sign

    signature = sign(model, version, reason=reason).signature
    by = "" if signature is None else signature.key_id
    console.print(f"version {version} of {model} is signed by the key {by}", highlight=False, markup=False)


@stack_app.command("up")
@explained
def stack_up() -> None:
    """Make the images, generate what is secret, start the stack and wait until everything is healthy."""
    from mlops_core.cli.stack import display as stack_display
    from mlops_core.cli.stack.lifecycle import Stack

    stack = Stack.from_environment()
    with console.status("making the images; the first time takes minutes"):
        stack.build()
    with console.status("starting; waiting until everything is healthy"):
        seconds = stack.up()
    console.print(f"[green]healthy[/] in {seconds:.1f} s")
    console.print(stack_display.addresses(stack.files))


@stack_app.command("down")
@explained
def stack_down(
    wipe: Annotated[
        bool, typer.Option("--wipe", help="Delete the volumes and the secrets as well: data, models, logs.")
    ] = False,
) -> None:
    """Remove the stack's containers and networks, with all containers that its tasks started."""
    from mlops_core.cli.stack.lifecycle import Stack

    stack = Stack.from_environment()
    with console.status("ending"):
        found = stack.down(wipe=wipe)
    if not found:
        console.print(f"nothing of {stack.files.name} is there")
    else:
        console.print(f"removed {stack.files.name}" + (" and its data" if wipe else "; its data stay"))


@stack_app.command("status")
@explained
def stack_status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show the stack's containers. Exit codes as of [bold]mlops status[/]."""
    from mlops_core.cli.stack import display as stack_display
    from mlops_core.cli.stack.lifecycle import Stack

    stack = Stack.from_environment()
    containers = stack.containers()
    document = stack_display.status_document(stack.files, containers)
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    elif not containers:
        console.print(f"nothing of {stack.files.name} runs; start it with: mlops stack up")
    else:
        console.print(stack_display.status_table(containers))
    if not containers:
        raise typer.Exit(NOT_RUNNING)
    raise typer.Exit(0 if document["healthy"] else FAILED)
