"""How every command ends: the library's errors become a message and an exit code."""

import functools
from collections.abc import Callable
from typing import Any

import typer
from rich.console import Console

from mlops_core.errors import DeclarationError, MlopsError

FAILED = 1
USED_WRONGLY = 2
NOT_RUNNING = 3
INTERRUPTED = 130

Command = Callable[..., None]

_errors = Console(stderr=True)


def explained(command: Command) -> Command:
    """Turn the library's errors into a message and an exit code; any other keeps its trace."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except MlopsError as error:
            _errors.print("[bold red]error[/]", end=" ")
            _errors.print(str(error), markup=False, highlight=False)
            raise typer.Exit(USED_WRONGLY if isinstance(error, DeclarationError) else FAILED) from error
        except KeyboardInterrupt:
            _errors.print("interrupted")
            raise typer.Exit(INTERRUPTED) from None

    return run
