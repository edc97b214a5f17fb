"""What a model was fitted with: interpreter, packages, machine and code version."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from mlops_core.document import Document

CODE_VERSION_VARIABLE = "MLOPS_CODE_VERSION"
"""Environment variable with the commit of code that is not in its repository; ``+modified`` if it differs."""

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


def capture_environment(folder: Path) -> Environment:
    """Describe this process, and the code version of a folder."""
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        packages=_packages(),
        code=code_version(folder),
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
