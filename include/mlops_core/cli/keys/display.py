"""How the keys look in a terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlops_core.cli.keys.command import Keys


def show(keys: Keys, *, console: Console) -> None:
    """Print the trusted keys, one a row, and where they lie."""
    if keys.trusted:
        table = Table(box=None, header_style="bold")
        for header in ("key", "signs here", "file"):
            table.add_column(header)
        for key in keys.trusted:
            table.add_row(key.key_id, "[green]yes[/]" if key.signs else "", Text(key.file))
        console.print(table)
    else:
        console.print(
            "[yellow]no key is trusted[/]: no version can be loaded; make a pair with: mlops keys make"
        )
    console.print(f"trusted {keys.trusted_folder}", markup=False, highlight=False, soft_wrap=True)
    signing = keys.signing_key or "none: versions are only verified here, not registered"
    console.print(f"signing {signing}", markup=False, highlight=False, soft_wrap=True)
