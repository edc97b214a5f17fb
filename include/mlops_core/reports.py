"""Where the pages that people read are kept: ``<root>/<pipeline>/<kind>/<key>/<name>``."""

import hashlib
import re
from pathlib import Path

from mlops_core.atomic import write_atomically
from mlops_core.errors import DeclarationError

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
_LONGEST_KEY = 96


class ReportStore:
    """A folder of reports, written whole or not at all and never read outside itself."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def root(self) -> Path:
        """The folder that every relative path starts from."""
        return self._root

    def write(self, *, pipeline: str, kind: str, key: str, name: str, content: str | bytes) -> str:
        """Store one file, replacing what lay under the same names.

        Parameters
        ----------
        pipeline
            The pipeline's name.
        kind
            For example ``validation``, ``evaluation`` or ``drift``.
        key
            What the report is about, for example an operation key. What is not safe in a path is replaced.
        name
            The file's name, for example ``report.html``.

        Returns
        -------
        The path relative to the store's root, with forward slashes.
        """
        relative = self.relative_path(pipeline=pipeline, kind=kind, key=key, name=name)
        target = self.path(relative)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(target, content, mode=0o644)
        return relative

    @staticmethod
    def relative_path(*, pipeline: str, kind: str, key: str, name: str) -> str:
        """Return where ``write`` puts a file, so that a report may name itself."""
        return "/".join((_part(pipeline), _part(kind), safe_key(key), _part(name)))

    def path(self, relative: str) -> Path:
        """Return where a relative path lies.

        Raises
        ------
        DeclarationError
            If it leads out of the store, also by a symbolic link.
        """
        root = self._root.resolve()
        try:
            target = (root / relative).resolve()
        except (ValueError, OSError) as error:
            raise DeclarationError(f"{relative!r} is no path of a report") from error
        if target == root or not target.is_relative_to(root):
            raise DeclarationError(f"{relative!r} leads out of the reports' folder")
        return target


def safe_key(key: str) -> str:
    """Return a folder name for any key; keys that differ get names that differ."""
    readable = _UNSAFE.sub("-", key).strip(".-")[:_LONGEST_KEY]
    if readable == key and key:
        return key
    return f"{readable or 'key'}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def _part(value: str) -> str:
    if not _PART.fullmatch(value):
        raise DeclarationError(
            f"{value!r} is no name in a report's path; use letters, digits, '_', '.' and '-'"
        )
    return value
