"""A file is the former one or the new one, never a part of either."""

import stat
from pathlib import Path

import pytest

from mlops_core.atomic import write_atomically


@pytest.mark.parametrize("content", ["ä\n", "ä\n".encode()])
def test_a_file_is_replaced_whole_and_is_its_owners_alone(tmp_path: Path, content: str | bytes) -> None:
    target = tmp_path / "file"
    target.write_text("of before, and longer")
    target.chmod(0o666)

    write_atomically(target, content)

    assert target.read_bytes() == "ä\n".encode()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target]


def test_others_may_read_it_where_that_is_said(tmp_path: Path) -> None:
    write_atomically(tmp_path / "page", "text", mode=0o644)

    assert stat.S_IMODE((tmp_path / "page").stat().st_mode) == 0o644


def test_a_failed_write_leaves_the_former_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "file"
    write_atomically(target, "whole")

    def fail(_descriptor: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("mlops_core.atomic.os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(target, "half")

    assert target.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [target]
