import stat
from pathlib import Path

import pytest

from mlops_core.atomic import write_atomically
from mlops_core.cli.embedded.home import Home, is_private
from mlops_core.errors import PlatformError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_a_prepared_home_is_marked_and_closed_to_others(home: Home) -> None:
    home.prepare(made_by="demo")

    assert home.marker is not None
    assert home.marker.made_by == "demo"
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700


def test_preparing_again_keeps_who_made_it(home: Home) -> None:
    home.prepare(made_by="up")
    home.prepare(made_by="demo")

    assert home.marker is not None
    assert home.marker.made_by == "up"


def test_a_folder_with_other_content_is_refused_and_left_as_it_is(home: Home) -> None:
    home.root.mkdir()
    (home.root / "thesis.txt").write_text("years of work")

    with pytest.raises(PlatformError, match=r"is not empty .* set MLOPS_HOME"):
        home.prepare(made_by="up")
    assert [entry.name for entry in home.root.iterdir()] == ["thesis.txt"]


def test_a_home_that_cannot_be_made_names_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(PlatformError, match="set MLOPS_HOME to a folder that you may write"):
        Home(tmp_path / "file" / "home").prepare(made_by="up")


def test_a_wiped_home_is_empty_and_belongs_to_who_prepares_it_next(home: Home) -> None:
    home.prepare(made_by="up")
    (home.root / "data" / "table").mkdir(parents=True)
    (home.root / "summary.json").write_text("{}")

    home.wipe()

    assert list(home.root.iterdir()) == []
    home.prepare(made_by="demo")
    assert home.marker is not None
    assert home.marker.made_by == "demo"


def test_a_folder_without_the_marker_is_never_wiped(home: Home) -> None:
    home.root.mkdir()
    (home.root / "thesis.txt").write_text("years of work")

    for delete in (home.wipe, home.remove, home.set_aside):
        with pytest.raises(PlatformError, match="was not made by this command"):
            delete()
    assert (home.root / "thesis.txt").exists()


def test_wiping_removes_a_link_and_not_what_it_points_to(home: Home, tmp_path: Path) -> None:
    home.prepare(made_by="demo")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "thesis.txt").write_text("years of work")
    (home.root / "link").symlink_to(tmp_path / "elsewhere")

    home.wipe()

    assert (tmp_path / "elsewhere" / "thesis.txt").exists()
    assert not (home.root / "link").is_symlink()


def test_setting_aside_moves_the_content_and_leaves_an_unmarked_folder(home: Home) -> None:
    home.prepare(made_by="up")
    (home.root / "data").mkdir()

    kept = home.set_aside()

    assert (kept / "data").is_dir()
    assert Home(kept).marker is not None
    assert home.marker is None
    home.prepare(made_by="demo")


def test_only_a_home_with_data_holds_work(home: Home) -> None:
    home.prepare(made_by="up")
    assert not home.holds_work()

    (home.root / "data").mkdir()
    assert home.holds_work()


def test_empty_folders_are_nothing_that_a_home_could_destroy(home: Home) -> None:
    (home.root / "checkpoints" / "of-a-job").mkdir(parents=True)

    home.prepare(made_by="up")

    assert home.marker is not None


def test_a_file_deep_below_is_somebody_elses(home: Home) -> None:
    (home.root / "photos" / "2013").mkdir(parents=True)
    (home.root / "photos" / "2013" / "july.jpg").write_text("x")

    with pytest.raises(PlatformError, match="is not empty and was not made by this command"):
        home.prepare(made_by="up")


def test_a_second_command_is_told_which_process_works_in_the_home(home: Home) -> None:
    home.prepare(made_by="up")

    with home.lock(), pytest.raises(PlatformError, match=r"another mlops command \(pid \d+\)"), home.lock():
        pass
    with home.lock():
        pass


def test_a_written_file_is_private(tmp_path: Path) -> None:
    write_atomically(tmp_path / "secret", "text")

    assert is_private(tmp_path / "secret")
    (tmp_path / "secret").chmod(0o640)
    assert not is_private(tmp_path / "secret")
