"""Archives as bytes: the same files always give the same bytes, and what is read back is checked."""

import gzip
import hashlib
import io
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from mlops_core.errors import CorruptedDataError, UntrustedModelError
from mlops_core.models.directory import model_digest
from mlops_core.retirement.documents import Manifest

MANIFEST = "manifest.json"
MODEL_FOLDER = "model/"

_MODE = 0o644


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a compressed tar of files by path: sorted, of no owner and no time."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(files):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(files[path]), _MODE
            tar.addfile(member, io.BytesIO(files[path]))
    return packed.getvalue()


def unpack(content: bytes) -> dict[str, bytes]:
    """Return the files of an archive by path; nothing is written anywhere.

    Raises
    ------
    CorruptedDataError
        If it is no such archive, or holds anything but plain files below it.
    """
    files: dict[str, bytes] = {}
    try:
        # Unpacked whole, and so to its checksum: a tar is read up to its end mark and no further.
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(content)), mode="r:") as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isreg() else None
                if file is None or not _is_below(member.name) or member.name in files:
                    raise CorruptedDataError(
                        f"the archive holds {member.name!r}, which is no plain file of it"
                    )
                files[member.name] = file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise CorruptedDataError(f"this is no archive of a version: {error}") from error
    return files


def sealed(manifest: Manifest, files: Mapping[str, bytes]) -> bytes:
    """Return the archive of files with their manifest, whose digests are taken here."""
    whole = manifest.model_copy(update={"files": {path: digest_of(files[path]) for path in sorted(files)}})
    return pack({**files, MANIFEST: whole.model_dump_json(indent=2).encode()})


def opened(content: bytes) -> tuple[Manifest, dict[str, bytes]]:
    """Read an archive back; every file and the model must have the digest that the manifest names.

    Raises
    ------
    CorruptedDataError
        If a file was changed, added or removed.
    UntrustedModelError
        If the model's files are not the version's.
    """
    files = unpack(content)
    try:
        manifest = Manifest.model_validate_json(files.pop(MANIFEST))
    except (KeyError, ValidationError) as error:
        raise CorruptedDataError(f"the archive has no readable {MANIFEST}: {error}") from error
    found = {path: digest_of(file) for path, file in files.items()}
    differing = sorted(dict(set(found.items()) ^ set(manifest.files.items())))
    if differing:
        raise CorruptedDataError(f"the archive's files differ from its manifest: {', '.join(differing)}")
    _check_model(manifest, files)
    return manifest, files


def digest_of(content: bytes) -> str:
    """Return the SHA-256."""
    return hashlib.sha256(content).hexdigest()


def _check_model(manifest: Manifest, files: Mapping[str, bytes]) -> None:
    record = manifest.record
    with tempfile.TemporaryDirectory(prefix="mlops-archive-") as folder:
        for path, content in files.items():
            if path.startswith(MODEL_FOLDER):
                target = Path(folder) / path.removeprefix(MODEL_FOLDER)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        found = model_digest(Path(folder))
    if found != record.digest:
        raise UntrustedModelError(
            f"the model in the archive of version {record.version} of {record.model!r} has the digest "
            f"{found}, not {record.digest}: it was changed after it was registered"
        )


def _is_below(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name
