"""Files by address, local or in an object store, through pyarrow's file systems.

An address is a local path or a URI such as ``s3://bucket/folder``.
"""

import contextlib
import hashlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

_BLOCK_BYTES = 1 << 20


class HashingSink:
    """A binary file that digests what is written to it, so that a file need not be read to be named."""

    def __init__(self, stream: pa.NativeFile) -> None:
        self._stream = stream
        self._sha256 = hashlib.sha256()

    def write(self, content: bytes) -> int:
        """Write and digest."""
        self._sha256.update(content)
        return int(self._stream.write(content))

    def flush(self) -> None:
        """Pass on what is buffered."""
        self._stream.flush()

    def close(self) -> None:
        """Close the stream below."""
        self._stream.close()

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written."""
        return bool(self._stream.closed)

    @property
    def digest(self) -> str:
        """SHA-256 of everything written so far."""
        return self._sha256.hexdigest()


def write_named_by_digest(
    folder: str, *, suffix: str, write: Callable[[HashingSink], None]
) -> tuple[str, str]:
    """Write a file whole or not at all, under the SHA-256 of its content.

    Returns
    -------
    The file's address and its digest.
    """
    system, path = _locate(folder)
    system.create_dir(path, recursive=True)
    temporary = f"{path}/.writing-{uuid.uuid4().hex}"
    try:
        with contextlib.closing(HashingSink(system.open_output_stream(temporary))) as sink:
            write(sink)
        _flush_to_disk(system, temporary)
        system.move(temporary, f"{path}/{sink.digest}{suffix}")
    except BaseException:
        with contextlib.suppress(OSError):
            system.delete_file(temporary)
        raise
    return f"{folder}/{sink.digest}{suffix}", sink.digest


def write_file(address: str, content: bytes) -> None:
    """Write a file whole or not at all, replacing what was there."""
    system, path = _locate(address)
    temporary = f"{path}.writing-{uuid.uuid4().hex}"
    system.create_dir(path.rpartition("/")[0], recursive=True)
    try:
        with system.open_output_stream(temporary) as stream:
            stream.write(content)
        _flush_to_disk(system, temporary)
        system.move(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            system.delete_file(temporary)
        raise


def read_file(address: str) -> pa.Buffer:
    """Read the whole file.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    """
    with open_file(address) as file:
        return file.read_buffer()


def open_file(address: str) -> pa.NativeFile:
    """Open a file for reading at any place."""
    system, path = _locate(address)
    return system.open_input_file(path)


def digest_of(address: str) -> str | None:
    """Return the SHA-256 of a file, reading it in blocks; None where there is no file."""
    system, path = _locate(address)
    sha256 = hashlib.sha256()
    try:
        with system.open_input_stream(path) as stream:
            while block := stream.read(_BLOCK_BYTES):
                sha256.update(block)
    except FileNotFoundError:
        return None
    return sha256.hexdigest()


def file_size(address: str) -> int:
    """Return the bytes of a file."""
    system, path = _locate(address)
    return int(system.get_file_info(path).size)


def exists(address: str) -> bool:
    """Return whether a file or a folder is there. An unreachable store raises OSError."""
    system, path = _locate(address)
    return bool(system.get_file_info(path).type != fs.FileType.NotFound)


def move_file(source: str, *, target: str) -> None:
    """Move a file within its store, replacing what was there."""
    system, path = _locate(source)
    _, target_path = _locate(target)
    system.create_dir(target_path.rpartition("/")[0], recursive=True)
    system.move(path, target_path)


def remove_file(address: str) -> None:
    """Remove a file if it is there."""
    system, path = _locate(address)
    with contextlib.suppress(FileNotFoundError):
        system.delete_file(path)


def _locate(address: str) -> tuple[fs.FileSystem, str]:
    if "://" in address:
        system, path = fs.FileSystem.from_uri(address)
        return system, path
    return fs.LocalFileSystem(), str(Path(address).absolute())


def _flush_to_disk(system: fs.FileSystem, path: str) -> None:
    """Make a local file outlive a power cut before anything refers to it; object stores do so anyway."""
    if not isinstance(system, fs.LocalFileSystem):
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
