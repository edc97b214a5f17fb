"""Files that are whole or absent, whatever dies while they are written."""

import contextlib
import os
import tempfile
from pathlib import Path


def write_atomically(path: Path, content: bytes | str, *, mode: int = 0o600) -> None:
    """Put a file in the place of whatever lay there, also where the power fails meanwhile.

    A reader finds the former file or the new one, never a part. Of several writers the last one wins.

    Parameters
    ----------
    path
        In a folder that exists.
    content
        Text is written as UTF-8.
    mode
        Who may read it; the owner alone unless said otherwise.

    Raises
    ------
    OSError
        If it can't be written; the former file is then as it was.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), mode)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
