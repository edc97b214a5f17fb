"""The Docker command line, as far as the stack needs it."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlops_core.errors import PlatformError

_LINES_SHOWN = 30


def run_docker(
    *arguments: str,
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
    timeout_s: float = 120.0,
) -> str:
    """Run a command of the Docker client and return what it printed.

    Parameters
    ----------
    variables
        Laid over this process's environment.

    Raises
    ------
    PlatformError
        If there is no client, or the command fails or takes too long; it shows the end of what was printed.
    """
    client = shutil.which("docker")
    if client is None:
        raise PlatformError("there is no docker command here; install Docker with Docker Compose 2")
    asked = _shown(arguments)
    try:
        ended = subprocess.run(  # noqa: S603  arguments of this package, never a shell
            [client, *arguments],
            cwd=folder,
            env={**os.environ, **(variables or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PlatformError(f"{asked} was not done after {timeout_s:.0f} s\n{_tail(error.stderr)}") from error
    if ended.returncode != 0:
        raise PlatformError(f"{asked} failed\n{_tail(ended.stdout + ended.stderr)}")
    return ended.stdout


def listed(*arguments: str) -> tuple[str, ...]:
    """Return the lines that a command of the Docker client prints."""
    return tuple(run_docker(*arguments).split())


def _shown(arguments: Sequence[str]) -> str:
    """Name a command by its words, without options and what they hold."""
    words = [argument for argument in arguments if argument.isalpha()]
    return " ".join(("docker", *words[:3]))


def _tail(output: str | bytes | None) -> str:
    text = output.decode(errors="replace") if isinstance(output, bytes) else output or ""
    return "\n".join(text.strip().splitlines()[-_LINES_SHOWN:])
