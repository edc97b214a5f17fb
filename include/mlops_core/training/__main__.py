"""One train job as a process: ``python -m mlops_core.training --job job.json --result result.json``.

Under torchrun every process is called so; see ``train``. Of a machine's processes the first writes the file.

Exit codes: 0 the result is written; 2 the call, the job or the declaration is wrong; 3 rejected, trying again
gives the same answer; 4 a service did not answer, trying again may help; 1 anything else. Only with 0
there is a result; with 2, 3 and 4 the error is in its place as a document, ``result.error.json``.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from mlops_core.atomic import write_atomically
from mlops_core.errors import (
    DeclarationError,
    LeaderFailedError,
    MlopsError,
    RejectedError,
    ServiceUnavailableError,
)
from mlops_core.training.failure import error_file, failure_of
from mlops_core.training.job import TrainJob
from mlops_core.training.processes import Processes

SUCCEEDED = 0
WRONGLY_DECLARED = 2
REJECTED = 3
UNAVAILABLE = 4

log = logging.getLogger("mlops_core.training")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job of a file, write its result to another, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m mlops_core.training", description="Run one train job.")
    parser.add_argument("--job", type=Path, required=True, help="JSON file of the train job")
    parser.add_argument("--result", type=Path, required=True, help="JSON file to write the result to")
    options = parser.parse_args(arguments)
    try:
        job = _read_job(options.job)
        # Heavy: a job that cannot be read should say so at once.
        from mlops_core.training.train import train

        result = train(job)
        # Every machine of a group gets the file, so that any of them may be asked for it.
        if Processes.from_environment().leads_its_machine:
            _write(options.result, result.model_dump_json(indent=2))
    except LeaderFailedError as error:
        # The first process's own exit code is what the job ends with.
        log.info("%s", error)
        if isinstance(error.__cause__, MlopsError):
            _write_error(error.__cause__, options.result)
    except (DeclarationError, RejectedError, ServiceUnavailableError) as error:
        log.error("%s: %s", type(error).__name__, error)  # noqa: TRY400  the words are meant for people
        _write_error(error, options.result)
        return _exit_code(error)
    return SUCCEEDED


def _read_job(path: Path) -> TrainJob:
    try:
        return TrainJob.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DeclarationError(f"cannot read the train job {path}: {error}") from error


def _write_error(error: MlopsError, result: Path) -> None:
    if Processes.from_environment().leads_its_machine:
        _write(error_file(result), failure_of(error).model_dump_json(indent=2))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text)


def _exit_code(error: DeclarationError | RejectedError | ServiceUnavailableError) -> int:
    if isinstance(error, DeclarationError):
        return WRONGLY_DECLARED
    return REJECTED if isinstance(error, RejectedError) else UNAVAILABLE


if __name__ == "__main__":
    # Read by OpenMP when scikit-learn loads it. Threads that wait by spinning starve each other, and every
    # other process, as soon as two fits share the processors.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    sys.exit(main())
