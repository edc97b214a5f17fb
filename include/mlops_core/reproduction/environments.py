"""Virtual environments with recorded packages, built once and kept by what they hold."""

import fcntl
import hashlib
import logging
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from packaging.version import VERSION_PATTERN

from mlops_core.errors import NotReproducibleError

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_COMPLETE = "complete"
_SHOWN_CHARACTERS = 1500

log = logging.getLogger(__name__)


def environment_python(packages: Mapping[str, str], *, cache: Path) -> Path:
    """Return the interpreter of a fresh environment with exactly these packages; build it if need be.

    They are installed from the indexes that pip is configured for, without looking at what they depend on:
    the record names everything that was there.

    Parameters
    ----------
    packages
        Version by canonical name.
    cache
        Folder that keeps environments. One that was left half-built is built again.

    Raises
    ------
    NotReproducibleError
        If a name or a version is none, or pip cannot install them.
    """
    pins = "".join(f"{_pinned(name, version)}\n" for name, version in sorted(packages.items()))
    identity = hashlib.sha256(f"{platform.python_version()}\n{pins}".encode()).hexdigest()[:32]
    folder = cache / identity
    with _alone(cache / f"{identity}.lock"):
        if not (folder / _COMPLETE).is_file():
            shutil.rmtree(folder, ignore_errors=True)
            log.info("building an environment of %d packages in %s", len(packages), folder)
            _build(folder, pins)
            (folder / _COMPLETE).touch()
    return folder / "bin" / "python"


def _pinned(name: str, version: str) -> str:
    """Write a line that pip takes for a package and nothing else: no address, no file, no option."""
    if not _NAME.fullmatch(name) or not re.fullmatch(VERSION_PATTERN, version, re.VERBOSE | re.IGNORECASE):
        raise NotReproducibleError(
            f"the recorded environment names {name!r} {version!r}, which is no package with a version"
        )
    return f"{name}=={version}"


def _build(folder: Path, pins: str) -> None:
    _run([sys.executable, "-m", "venv", str(folder)])
    listed = folder / "pins.txt"
    listed.write_text(pins, encoding="utf-8")
    if pins:
        # One fit imports a small part of it all, and compiles that itself.
        options = ["--no-input", "--no-deps", "--no-compile", "--requirement", str(listed)]
        _run([str(folder / "bin" / "python"), "-m", "pip", "install", *options])


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  made above
    except subprocess.CalledProcessError as error:
        said = (error.stderr or error.stdout or "").strip()[-_SHOWN_CHARACTERS:]
        raise NotReproducibleError(
            f"the recorded environment cannot be built: {' '.join(command[1:4])} ended with exit code "
            f"{error.returncode}: {said}; see that pip reaches its indexes, or reproduce in the current "
            "environment"
        ) from error


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Let one process at a time build; the lock goes with the process that holds it, however it ends."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
