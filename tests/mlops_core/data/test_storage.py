import hashlib
from pathlib import Path

import pytest

from mlops_core.data import storage


@pytest.fixture(params=["path", "uri"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder with a space in its name, addressed in both ways."""
    path = tmp_path / "a folder"
    return path.as_uri() if request.param == "uri" else str(path)


def test_a_file_is_named_by_the_digest_of_what_was_written(folder: str) -> None:
    def write(sink: storage.HashingSink) -> None:
        sink.write(b"one ")
        sink.write(b"two")

    address, digest = storage.write_named_by_digest(folder, suffix=".txt", write=write)

    assert digest == hashlib.sha256(b"one two").hexdigest()
    assert address == f"{folder}/{digest}.txt"
    assert storage.read_file(address).to_pybytes() == b"one two"
    assert storage.digest_of(address) == digest
    assert storage.file_size(address) == 7


def test_a_file_that_could_not_be_written_whole_leaves_nothing(tmp_path: Path) -> None:
    def write(sink: storage.HashingSink) -> None:
        sink.write(b"half")
        raise RuntimeError("the loader's table broke")

    with pytest.raises(RuntimeError):
        storage.write_named_by_digest(str(tmp_path), suffix=".txt", write=write)

    assert list(tmp_path.iterdir()) == []


def test_a_failed_replacement_leaves_the_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "file.json"
    storage.write_file(str(target), b"whole")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(storage, "_flush_to_disk", fail)
    with pytest.raises(OSError, match="disk full"):
        storage.write_file(str(target), b"half")

    assert target.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_is_moved_over_another_and_removed_once(folder: str) -> None:
    storage.write_file(f"{folder}/old", b"old")
    storage.write_file(f"{folder}/new", b"new")

    storage.move_file(f"{folder}/new", target=f"{folder}/old")

    assert storage.read_file(f"{folder}/old").to_pybytes() == b"new"
    assert not storage.exists(f"{folder}/new")
    storage.remove_file(f"{folder}/old")
    storage.remove_file(f"{folder}/old")
    assert storage.digest_of(f"{folder}/old") is None


def test_a_file_that_is_not_there_cannot_be_read(folder: str) -> None:
    with pytest.raises(FileNotFoundError):
        storage.read_file(f"{folder}/nothing")
