"""What goes into a container's volume before it starts, and what is read from it after its end."""

import io
import tarfile
import time
from collections.abc import Iterable

from mlops_core.containers.specification import ContainerJob
from mlops_core.errors import ContainerFailedError

RESULT_LIMIT_MB = 16
_FOLDERS = ("work", "work/checkpoints")


def work_archive(job: ContainerJob) -> bytes:
    """Return the tar archive of a node's files below ``/mlops``, owned by the container's user."""
    content = io.BytesIO()
    now = int(time.time())
    with tarfile.open(fileobj=content, mode="w") as archive:
        for folder in _FOLDERS:
            entry = _entry(folder, job=job, mode=0o750, modified=now)
            entry.type = tarfile.DIRTYPE
            archive.addfile(entry)
        for name, text in job.inputs.items():
            data = text.encode()
            entry = _entry(f"work/{name}", job=job, mode=0o640, modified=now)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def read_file(chunks: Iterable[bytes], *, name: str) -> bytes | None:
    """Return the one regular file of a tar archive; None where it is something else.

    A process that is not trusted wrote it, so a link is not followed and the size is bounded.

    Raises
    ------
    ContainerFailedError
        If it is larger than ``RESULT_LIMIT_MB``.
    """
    limit = RESULT_LIMIT_MB * 1024 * 1024
    content = bytearray()
    for chunk in chunks:
        content += chunk
        # Room for the archive's own blocks.
        if len(content) > limit + 64 * 1024:
            raise _too_large(name)
    with tarfile.open(fileobj=io.BytesIO(bytes(content)), mode="r:") as archive:
        entry = archive.next()
        if entry is None or not entry.isreg():
            return None
        if entry.size > limit:
            raise _too_large(name)
        file = archive.extractfile(entry)
        return None if file is None else file.read()


def _too_large(name: str) -> ContainerFailedError:
    return ContainerFailedError(
        f"the result file {name} is larger than {RESULT_LIMIT_MB} MB; write large things to MLflow or a mount"
    )


def _entry(name: str, *, job: ContainerJob, mode: int, modified: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.uid, entry.gid = job.spec.user_id, job.spec.group_id
    entry.mode, entry.mtime = mode, modified
    return entry
