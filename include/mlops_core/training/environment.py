"""What a model was fitted with: interpreter, packages, machine and code version."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from pydantic import Field

from mlops_core.document import Document

CODE_VERSION_VARIABLE = "MLOPS_CODE_VERSION"
"""Environment variable with the commit of code that is not in its repository; ``+modified`` if it differs."""

_THREADS_OF = {"openmp": "OMP_NUM_THREADS", "openblas": "OPENBLAS_NUM_THREADS", "mkl": "MKL_NUM_THREADS"}
THREAD_VARIABLES = frozenset(_THREADS_OF.values())
"""All that are ever recorded; a record is no reason to set others."""

_PROCESSORS = Path("/proc/cpuinfo")
_MODIFIED = "+modified"
_GIT_SECONDS = 10


class CodeVersion(Document):
    """The commit that a folder is at; ``modified`` when its tracked or new files differ from it."""

    commit: str
    modified: bool

    def __str__(self) -> str:
        return f"{self.commit}{_MODIFIED if self.modified else ''}"


class Environment(Document):
    """The software and the machine of one fit."""

    python: str
    platform: str
    cpus: int
    packages: dict[str, str]
    code: CodeVersion | None
    processor: str = ""
    threads: dict[str, int] = Field(
        default_factory=dict,
        description="By environment variable: set so, libraries compute in as many threads again",
    )


def capture_environment(folder: Path) -> Environment:
    """Describe this process, and the code version of a folder."""
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        packages=_packages(),
        code=code_version(folder),
        processor=_processor(),
        threads=_threads(),
    )


def code_version(folder: Path) -> CodeVersion | None:
    """Return the git commit of a folder; without one, as in an image, what ``MLOPS_CODE_VERSION`` says.

    None where neither is known.
    """
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        told = os.environ.get(CODE_VERSION_VARIABLE, "")
        commit, modified = told.removesuffix(_MODIFIED), told.endswith(_MODIFIED)
        return CodeVersion(commit=commit, modified=modified) if commit else None
    return CodeVersion(commit=commit, modified=bool(_git(folder, "status", "--porcelain", "--", ".")))


def _packages() -> dict[str, str]:
    versions = {
        distribution.name: distribution.version
        for distribution in metadata.distributions()
        if distribution.name
    }
    return dict(sorted(versions.items()))


def _threads() -> dict[str, int]:
    """Return how many threads compute: in another number of them, floats are added up in another order."""
    from joblib import cpu_count
    from threadpoolctl import threadpool_info

    threads: dict[str, int] = {}
    for pool in threadpool_info():
        variable = _THREADS_OF.get(pool["internal_api"])
        if variable is not None:
            threads[variable] = max(threads.get(variable, 0), pool["num_threads"])
    openmp = _THREADS_OF["openmp"]
    if openmp in threads and not os.environ.get(openmp):
        # Where nobody has said how many, scikit-learn and torch take one a core.
        threads[openmp] = min(threads[openmp], cpu_count(only_physical_cores=True))
    return threads


def _processor() -> str:
    try:
        described = _PROCESSORS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    named = [line.partition(":")[2] for line in described.splitlines() if line.startswith("model name")]
    return named[0].strip() if named else platform.processor()


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(  # noqa: S603  the arguments are the two above
            ["git", "-C", str(folder), *arguments],  # noqa: S607  git is where the user has put it
            capture_output=True,
            check=True,
            text=True,
            timeout=_GIT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
