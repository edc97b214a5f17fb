"""A reproduction on a terminal."""

from rich.console import Console
from rich.text import Text

from mlops_core.reproduction.report import ReproductionReport

_COLOURS = {"identical": "green", "equal": "yellow", "different": "bold red"}


def show(report: ReproductionReport, *, console: Console) -> None:
    """Print the verdict, what differs, and where the page is."""
    verdict = (report.verdict, _COLOURS[report.verdict])
    console.print(Text.assemble(f"{report.model} version {report.version}: ", verdict))
    for said in report.differences:
        console.print(Text(f"  {said}"), soft_wrap=True)
    console.print(Text(f"second fit: run {report.run_id}; page: {report.page}", "dim"), soft_wrap=True)
