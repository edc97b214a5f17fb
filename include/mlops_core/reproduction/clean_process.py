"""A train job in a process of its own, which knows nothing of the one that asks."""

import logging
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlops_core.errors import NotReproducibleError
from mlops_core.training.failure import error_file, read_error
from mlops_core.training.job import TrainJob, TrainResult

# Which process of a group this one is, and what leads Python elsewhere.
_OF_THIS_PROCESS = frozenset({"RANK", "LOCAL_RANK", "WORLD_SIZE", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"})
_SHOWN_LINES = 15

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Workplace:
    """Where a fit is repeated.

    Parameters
    ----------
    python
        The interpreter, with the packages.
    code
        Folders of this library and the model's package, in the order in which Python searches them.
    variables
        Of the environment, beyond those of this process.
    """

    python: Path = Path(sys.executable)
    code: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


def code_paths() -> list[str]:
    """Return the folders from which this process imports code that is not installed in its environment."""
    installed = {
        Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")
    }
    found: list[str] = []
    for entry in sys.path:
        folder = Path(entry or ".").resolve()
        inside = any(folder.is_relative_to(place) for place in installed)
        if folder.is_dir() and not inside and folder not in map(Path, found):
            found.append(str(folder))
    return found


def run_clean(job: TrainJob, workplace: Workplace) -> TrainResult:
    """Run a job by its own entry point and return what it made.

    Raises
    ------
    MlopsError
        What the job has raised, of its own class.
    NotReproducibleError
        If its process ended without a result, and without a reason of the library.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _OF_THIS_PROCESS}
    environment = {
        "OMP_WAIT_POLICY": "passive",
        **inherited,
        "PYTHONPATH": os.pathsep.join(workplace.code),
        **workplace.variables,
    }
    with tempfile.TemporaryDirectory(prefix="mlops-reproduction-") as name:
        folder = Path(name)
        asked, result = folder / "job.json", folder / "result.json"
        # Without what is left at its default: code of an earlier commit does not know every field.
        asked.write_text(job.model_dump_json(exclude_defaults=True), encoding="utf-8")
        command = [str(workplace.python), "-m", "mlops_core.training"]
        command += ["--job", str(asked), "--result", str(result)]
        exit_code, last = _followed(command, folder=folder, environment=environment)
        if exit_code == 0:
            return TrainResult.model_validate_json(result.read_bytes())
        reason = error_file(result)
        error = read_error(reason.read_bytes()) if reason.is_file() else None
    if error is not None:
        raise error
    raise NotReproducibleError(
        f"the second fit ended with exit code {exit_code} and no result; its last words:\n{last}"
    )


def _followed(command: list[str], *, folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Run a command to its end and log what it says; return its exit code and its last words."""
    last: deque[str] = deque(maxlen=_SHOWN_LINES)
    with subprocess.Popen(  # noqa: S603  the interpreter is ours, the rest are our own files
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            for line in process.stdout or ():
                log.info("%s", line.rstrip())
                last.append(line.rstrip())
        except BaseException:
            process.kill()
            raise
    return process.returncode, "\n".join(last)
