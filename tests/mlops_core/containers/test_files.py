import io
import tarfile

import pytest

from mlops_core.containers.files import RESULT_LIMIT_MB, read_file, work_archive
from mlops_core.containers.specification import ContainerJob, ContainerSpec
from mlops_core.errors import ContainerFailedError


def packed(entry: tarfile.TarInfo, content: bytes = b"") -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def test_inputs_and_folders_belong_to_the_containers_user_alone() -> None:
    spec = ContainerSpec(image="i", command=("c",), user="1000:2000")
    job = ContainerJob(key="k", spec=spec, inputs={"job.json": "{ä}"})

    with tarfile.open(fileobj=io.BytesIO(work_archive(job))) as archive:
        entries = [(one.name, one.isdir(), one.uid, one.gid, one.mode & 0o007) for one in archive]
        file = archive.extractfile("work/job.json")
        assert file is not None
        assert file.read().decode() == "{ä}"

    assert entries == [
        ("work", True, 1000, 2000, 0),
        ("work/checkpoints", True, 1000, 2000, 0),
        ("work/job.json", False, 1000, 2000, 0),
    ]


def test_file_is_read_whole_however_it_is_cut() -> None:
    content = packed(tarfile.TarInfo("r.json"), b"x" * 1000)

    assert read_file([content[:300], content[300:]], name="r.json") == b"x" * 1000


def test_folder_or_link_is_no_result() -> None:
    link = tarfile.TarInfo("r.json")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"

    assert read_file([packed(link)], name="r.json") is None


def test_file_without_an_end_is_given_up_at_the_limit() -> None:
    read = 0

    def endless() -> object:
        nonlocal read
        while True:
            read += 1
            yield bytes(1024 * 1024)

    with pytest.raises(ContainerFailedError, match=f"larger than {RESULT_LIMIT_MB} MB"):
        read_file(endless(), name="r.json")  # type: ignore[arg-type]
    assert read == RESULT_LIMIT_MB + 1
