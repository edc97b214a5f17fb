"""The code of a recorded commit, in a folder of its own."""

import io
import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mlops_core.errors import NotReproducibleError

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_GIT_SECONDS = 120


def repository_of(folder: Path) -> Path | None:
    """Return the top folder of the git repository that a folder lies in."""
    answer = _git(folder, "rev-parse", "--show-toplevel")
    return None if answer is None else Path(answer.decode().strip())


def is_of_history(repository: Path, commit: str) -> bool:
    """Whether a full commit id is of what is checked out, or of a commit before it.

    A repository knows other branches as well, which nobody may have looked at.
    """
    return (
        bool(_COMMIT.fullmatch(commit))
        and _git(repository, "merge-base", "--is-ancestor", commit, "HEAD") is not None
    )


def check_out(repository: Path, commit: str, *, cache: Path) -> Path:
    """Return a folder with the files of a commit, kept in the cache. The repository is left as it is.

    Raises
    ------
    NotReproducibleError
        If git does not give them.
    """
    kept = cache / commit
    if kept.is_dir():
        return kept
    archive = _git(repository, "archive", "--format=tar", commit)
    if archive is None:
        raise NotReproducibleError(
            f"git gives no files of commit {commit} from {repository}; fetch it, or reproduce in the current "
            "environment"
        )
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="checkout-", dir=cache) as folder:
        unpacked = Path(folder) / "files"
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(unpacked, filter="data")
        try:
            unpacked.replace(kept)
        except OSError:
            # Another process may have put the same files there meanwhile.
            if not kept.is_dir():
                raise
    return kept


def moved_paths(paths: Sequence[str], *, repository: Path, checkout: Path) -> list[str]:
    """Return Python's search path with each folder of the repository replaced by the one of the checkout."""
    top = repository.resolve()
    moved = []
    for path in paths:
        own = Path(path).resolve()
        moved.append(str(checkout / own.relative_to(top)) if own.is_relative_to(top) else path)
    return moved


def _git(folder: Path, *arguments: str) -> bytes | None:
    try:
        answer = subprocess.run(  # noqa: S603  a commit is checked to be hexadecimal
            ["git", "-C", str(folder), *arguments],  # noqa: S607  git is where the user has put it
            capture_output=True,
            check=True,
            timeout=_GIT_SECONDS,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout
