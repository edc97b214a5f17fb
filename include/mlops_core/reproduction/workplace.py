"""Where a fit is repeated: with the recorded packages, code and threads, or with those at hand."""

import importlib.util
import logging
from pathlib import Path

from mlops_core.reproduction.checkout import check_out, is_of_history, moved_paths, repository_of
from mlops_core.reproduction.clean_process import Workplace, code_paths
from mlops_core.reproduction.environments import environment_python
from mlops_core.reproduction.packages import installed_packages, needed_packages, package_differences
from mlops_core.reproduction.report import Difference
from mlops_core.training.environment import (
    CODE_VERSION_VARIABLE,
    THREAD_VARIABLES,
    CodeVersion,
    Environment,
    code_version,
)
from mlops_core.training.job import TrainJob

log = logging.getLogger(__name__)


def current_workplace() -> Workplace:
    """Return a fresh process with the packages, the code and the threads of this one."""
    return Workplace(code=code_paths())


def recorded_workplace(job: TrainJob, environment: Environment, *, cache: Path) -> Workplace:
    """Return a fresh process with what was recorded, as far as it can be had.

    Packages of other versions come from an environment of its own; code of an earlier commit from the history
    of the repository that the model's package lies in. What cannot be had stays as it is here, and the
    reproduction's own record says so.

    Raises
    ------
    NotReproducibleError
        If the packages cannot be installed.
    """
    # The record is not signed: it may say how many threads compute, and set nothing else.
    threads = {name: str(count) for name, count in environment.threads.items() if name in THREAD_VARIABLES}
    code, variables = _recorded_code(job, environment.code, cache=cache)
    if not package_differences(environment.packages, installed_packages()):
        return Workplace(code=code, variables={**threads, **variables})
    python = environment_python(needed_packages(environment.packages), cache=cache)
    return Workplace(python=python, code=code, variables={**threads, **variables})


def environment_differences(recorded: Environment, rebuilt: Environment) -> tuple[Difference, ...]:
    """Return in what the interpreter, the machine, the threads and the code differ; packages apart."""
    pairs = {
        "python": (recorded.python, rebuilt.python),
        "platform": (recorded.platform, rebuilt.platform),
        "processor": (recorded.processor, rebuilt.processor),
        "code": (_named(recorded.code), _named(rebuilt.code)),
    }
    for name in sorted(recorded.threads.keys() | rebuilt.threads.keys()):
        pairs[name] = (_text(recorded.threads.get(name)), _text(rebuilt.threads.get(name)))
    return tuple(
        Difference(name=name, recorded=first or None, rebuilt=second or None)
        for name, (first, second) in pairs.items()
        if first != second
    )


def _recorded_code(
    job: TrainJob, code: CodeVersion | None, *, cache: Path
) -> tuple[list[str], dict[str, str]]:
    """Return Python's search path to the recorded code, and the variables that say which code it is."""
    paths = code_paths()
    folder = _package_folder(job)
    # Changes that were never committed are nowhere to be had.
    if code is None or code.modified or folder is None or code_version(folder) == code:
        return paths, {}
    repository = repository_of(folder)
    if repository is None or not is_of_history(repository, code.commit):
        log.warning("commit %s of the recorded code is not in the history of what is here", code.commit)
        return paths, {}
    checkout = check_out(repository, code.commit, cache=cache / "code")
    moved = moved_paths(paths, repository=repository, checkout=checkout)
    # The home may lie in a repository, whose commit this code is not.
    return moved, {CODE_VERSION_VARIABLE: code.commit, "GIT_CEILING_DIRECTORIES": str(checkout.parent)}


def _package_folder(job: TrainJob) -> Path | None:
    """Return where the model's package lies, without importing it."""
    found = importlib.util.find_spec(job.reference.partition(":")[0].partition(".")[0])
    places = (
        [] if found is None else [*(found.submodule_search_locations or ()), *filter(None, [found.origin])]
    )
    if not places:
        return None
    first = Path(places[0])
    return first if first.is_dir() else first.parent


def _named(code: CodeVersion | None) -> str:
    return "" if code is None else str(code)


def _text(count: int | None) -> str:
    return "" if count is None else str(count)
