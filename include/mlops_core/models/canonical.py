"""Stored estimators whose bytes follow from what they hold: one fit, one file.

skops names objects by their addresses in memory, gives each file the time of its writing, and lists sets in
the order of their hashes, which Python salts anew in every process. None of that is part of a model.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

_SCHEMA = "schema.json"
_IDENTITY = "__id__"
_FILE = "file"
_BEFORE_TIME = (1980, 1, 1, 0, 0, 0)


def canonical_estimator(content: bytes) -> bytes:
    """Return a file of skops that holds the same in one fixed way; what is canonical stays as it is."""
    with ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if name != _SCHEMA}
        schema = json.loads(archive.read(_SCHEMA))
    digests = {name: hashlib.sha256(held).hexdigest() for name, held in files.items()}
    numbering = _Numbering()
    schema = numbering.applied(_with_sorted_sets(schema, digests))
    named = {number: files[name] for name, number in numbering.files.items()}
    return _zipped({**named, _SCHEMA: json.dumps(schema, indent=2).encode()})


class _Numbering:
    """Numbers objects and files in the order in which the schema names them first."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self._objects: dict[int, int] = {}

    def applied(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self.applied(child) for child in node]
        if not isinstance(node, dict):
            return node
        return {
            key: self._renamed(key, value)
            for key, value in node.items()
            # Whether two equal numbers are one object is chance, and changes nothing for a value.
            if not (key == _IDENTITY and node.get("__loader__") == "JsonNode")
        }

    def _renamed(self, key: str, value: Any) -> Any:
        # Below a key of the user's own lies always another node, never a number or a text.
        if key == _IDENTITY and isinstance(value, int):
            return self._objects.setdefault(value, len(self._objects) + 1)
        if key == _FILE and isinstance(value, str):
            return self.files.setdefault(value, f"{len(self.files) + 1}{PurePosixPath(value).suffix}")
        return self.applied(value)


def _with_sorted_sets(node: Any, digests: Mapping[str, str]) -> Any:
    if isinstance(node, list):
        return [_with_sorted_sets(child, digests) for child in node]
    if not isinstance(node, dict):
        return node
    sorted_below = {key: _with_sorted_sets(value, digests) for key, value in node.items()}
    if node.get("__loader__") == "SetNode":
        sorted_below["content"] = sorted(
            sorted_below["content"], key=lambda member: json.dumps(_nameless(member, digests))
        )
    return sorted_below


def _nameless(node: Any, digests: Mapping[str, str]) -> Any:
    """Return a node without what its process has chosen: to compare by what it holds."""
    if isinstance(node, list):
        return [_nameless(child, digests) for child in node]
    if not isinstance(node, dict):
        return node
    return {
        key: digests[value] if key == _FILE and isinstance(value, str) else _nameless(value, digests)
        for key, value in node.items()
        if key != _IDENTITY
    }


def _zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", compression=ZIP_STORED) as archive:
        for name, held in files.items():
            archive.writestr(ZipInfo(name, date_time=_BEFORE_TIME), held)
    return buffer.getvalue()
