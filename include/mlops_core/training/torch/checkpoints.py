"""Checkpoints of a fit: whole, or not there, and only ever its own."""

import hashlib
import io
import logging
import re
from pathlib import Path
from typing import Any

import torch

from mlops_core.atomic import write_atomically

_MAGIC = b"mlops-checkpoint-1\n"
_DIGEST_BYTES = hashlib.sha256().digest_size
_NAME = re.compile(r"\d{6}-\d{10}\.checkpoint")
_KEPT = 2

log = logging.getLogger(__name__)


class Checkpoints:
    """The newest checkpoints of one fit, in a folder.

    A file carries the digest of its content, so one that was torn by a crash or changed on the disk is told
    from a good one, and the one before it is taken.

    Parameters
    ----------
    folder
        Shared by the fits of one job. None keeps nothing.
    identity
        Of the fit, see ``fit_identity``. Another fit's checkpoints are never seen.
    """

    def __init__(self, folder: Path | None, *, identity: str) -> None:
        self._folder = None if folder is None else folder / identity[:32]
        self._identity = identity

    @property
    def enabled(self) -> bool:
        """Whether anything is kept."""
        return self._folder is not None

    def write(self, state: dict[str, Any], *, epoch: int, step: int) -> None:
        """Keep a state of tensors and plain values; earlier ones but the last are deleted.

        A disk that is full costs the checkpoint and not the fit.
        """
        if self._folder is None:
            return
        content = io.BytesIO()
        torch.save({"identity": self._identity, "state": state}, content)
        path = self._folder / f"{epoch:06}-{step:010}.checkpoint"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, _sealed(content.getbuffer()))
            for old in self._files()[_KEPT:]:
                old.unlink(missing_ok=True)
        except OSError as error:
            log.warning("no checkpoint in epoch %d, step %d: %s", epoch, step, error)

    def newest(self) -> tuple[int, bytes] | None:
        """Return the newest good checkpoint: how far it is, and its content for ``read_state``."""
        for path in self._files():
            try:
                content = _verified(path.read_bytes())
                read_state(content, identity=self._identity)
            except (OSError, ValueError) as error:
                log.warning("checkpoint %s is ignored: %s", path, error)
                continue
            return int(path.stem.replace("-", "")), content
        return None

    def _files(self) -> list[Path]:
        """Return the files, the newest first."""
        if self._folder is None or not self._folder.is_dir():
            return []
        return sorted((path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)), reverse=True)


def read_state(content: bytes, *, identity: str) -> dict[str, Any]:
    """Return the state of a checkpoint. No code in it is ever run.

    Raises
    ------
    ValueError
        If it is no checkpoint of that fit.
    """
    try:
        held = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its parts do
        raise ValueError(f"it cannot be read: {type(error).__name__}") from error
    if not isinstance(held, dict) or held.get("identity") != identity:
        raise ValueError("it is of another fit")
    state: dict[str, Any] = held["state"]
    return state


def _sealed(content: memoryview) -> bytes:
    return b"".join((_MAGIC, hashlib.sha256(content).digest(), content))


def _verified(content: bytes) -> bytes:
    if not content.startswith(_MAGIC):
        raise ValueError("it is no checkpoint")
    start = len(_MAGIC) + _DIGEST_BYTES
    if hashlib.sha256(content[start:]).digest() != content[len(_MAGIC) : start]:
        raise ValueError("it differs from its digest")
    return content[start:]
