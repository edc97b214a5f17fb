"""What ``mlops check`` shows, and how it ends."""

import logging
import os
import shutil
import sys
import tempfile
import traceback
import warnings
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mlops_core.cli.check.culprit import find_culprit, root_cause
from mlops_core.cli.check.rehearsal import Rehearsal, StageResult, Verdict
from mlops_core.cli.check.rendered import render_dags
from mlops_core.cli.check.workshop import sample_partitions, workshop
from mlops_core.pipeline import Pipeline, load_pipeline

_COLOURS = {Verdict.OK: "green", Verdict.NOTE: "yellow", Verdict.FAILED: "bold red", Verdict.NOT_RUN: "dim"}


def check(
    model: str, *, partitions: tuple[str, ...], rows: int, console: Console, show_trace: bool = False
) -> bool:
    """Validate a declaration, rehearse every stage, list the DAGs; tell whether nothing failed.

    Parameters
    ----------
    model
        A package with a ``pipeline`` module that declares ``PIPELINE``, or a whole reference.

    Raises
    ------
    DeclarationError
        If the pipeline is declared wrongly.
    """
    reference = model if ":" in model else f"{model}.pipeline:PIPELINE"
    find_models()
    pipeline = load_pipeline(reference)
    console.print(_declaration(pipeline))
    chosen = sample_partitions(pipeline, partitions)
    _quiet()
    folder = Path(tempfile.mkdtemp(prefix="mlops-check-"))
    with workshop(pipeline, folder=folder) as stores:
        rehearsal = Rehearsal(pipeline, reference, stores, chosen, rows)
        results = _show_stages(rehearsal, console=console)
    failures = [result for result in results if result.verdict is Verdict.FAILED]
    for failure in failures:
        _explain(failure, pipeline, console=console, show_trace=show_trace)
    if failures:
        console.print(f"what the stages made is kept in {folder}", soft_wrap=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    dags_folder = Path(os.environ.get("MLOPS_DAGS_FOLDER") or "dags").absolute()
    rendered = render_dags(pipeline.name, reference=reference, dags_folder=dags_folder)
    for dag_id, tasks in rendered.tasks.items():
        console.print(Text.assemble((dag_id, "cyan"), f"  {' → '.join(tasks)}"))
    if rendered.problem is not None:
        console.print(Text.assemble(("no DAGs: ", "bold red"), rendered.problem))
    return not failures and rendered.problem is None


def _show_stages(rehearsal: Rehearsal, *, console: Console) -> list[StageResult]:
    table = Table(box=None, header_style="bold")
    table.add_column("stage")
    table.add_column("")
    table.add_column("result", ratio=1)
    table.add_column("s", justify="right")
    results: list[StageResult] = []
    live = Live(table, console=console, refresh_per_second=8, transient=True)
    with live if console.is_terminal else nullcontext():
        for result in rehearsal.stages():
            results.append(result)
            seconds = "" if result.verdict is Verdict.NOT_RUN else f"{result.seconds:.1f}"
            said = result.result if result.error is None else _one_line(result.error)
            table.add_row(result.stage, Text(result.verdict, _COLOURS[result.verdict]), Text(said), seconds)
    console.print(table)
    return results


def _declaration(pipeline: Pipeline) -> Text:
    names = ", ".join(candidate.name for candidate in pipeline.candidates)
    gates = ", ".join(f"{gate.kind} {getattr(gate, 'metric', '')}".rstrip() for gate in pipeline.gates)
    return Text.assemble(
        (pipeline.name, "bold"), f" is declared well: {pipeline.task}; candidates {names}; gates {gates}"
    )


def _explain(failure: StageResult, pipeline: Pipeline, *, console: Console, show_trace: bool) -> None:
    """Name the user's function and line; the library's own frames help nobody there."""
    if failure.error is None:
        return
    culprit = find_culprit(failure.error, pipeline)
    if culprit is not None:
        cause = root_cause(failure.error)
        console.print(Text.assemble((f"{failure.stage} failed in ", "red"), str(culprit)))
        console.print(Text(f"  {type(cause).__name__}: {cause}"))
    else:
        console.print(Text.assemble((f"{failure.stage} failed: ", "red"), str(failure.error)))
    if show_trace:
        console.print(Text("".join(traceback.format_exception(failure.error)), "dim"))


def _one_line(error: Exception) -> str:
    first = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {first[:300]}"


def find_models() -> None:
    """Let Python find the project's model packages, as it does on the platform."""
    folder = str(Path.cwd() / "include")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    paths = [folder, *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)


def _quiet() -> None:
    """Keep libraries from writing into the table; what matters is in it."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
