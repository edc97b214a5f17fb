"""The recorded commit's files, beside a repository that stays as it is."""

import subprocess
from pathlib import Path

import pytest

from mlops_core.errors import NotReproducibleError
from mlops_core.reproduction.checkout import check_out, is_of_history, moved_paths, repository_of


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "include").mkdir(parents=True)
    git(folder, "init", "--quiet")
    for value in ("1", "2"):
        (folder / "include" / "model.py").write_text(f"VALUE = {value}\n")
        git(folder, "add", ".")
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
        git(folder, *identity, "commit", "--quiet", "-m", value)
    return folder


def git(folder: Path, *arguments: str) -> str:
    answer = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


def test_the_files_of_a_commit_are_those_of_then(repository: Path, tmp_path: Path) -> None:
    first = git(repository, "rev-parse", "HEAD~")

    folder = check_out(repository, first, cache=tmp_path / "cache")

    assert (folder / "include" / "model.py").read_text() == "VALUE = 1\n"
    assert (repository / "include" / "model.py").read_text() == "VALUE = 2\n"
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "worktree", "list").count("\n") == 0
    assert check_out(repository, first, cache=tmp_path / "cache") == folder


def test_a_repository_is_found_from_any_folder_in_it(repository: Path, tmp_path: Path) -> None:
    assert repository_of(repository / "include") == repository
    assert repository_of(tmp_path) is None


@pytest.mark.parametrize("commit", ["HEAD", "main", "--all", "0" * 40, ""])
def test_only_a_full_commit_that_is_there_is_of_the_history(repository: Path, commit: str) -> None:
    assert is_of_history(repository, git(repository, "rev-parse", "HEAD"))
    assert is_of_history(repository, git(repository, "rev-parse", "HEAD~"))
    assert not is_of_history(repository, commit)


def test_a_commit_of_another_branch_is_not_of_the_history(repository: Path) -> None:
    other = git(repository, "rev-parse", "HEAD")
    git(repository, "branch", "other")
    git(repository, "reset", "--quiet", "--hard", "HEAD~")

    assert git(repository, "cat-file", "-t", other) == "commit"
    assert not is_of_history(repository, other)


def test_a_commit_that_git_does_not_give_is_said(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(NotReproducibleError, match=f"git gives no files of commit {'0' * 40}"):
        check_out(repository, "0" * 40, cache=tmp_path / "cache")


def test_folders_of_the_repository_are_found_in_the_checkout_instead(
    repository: Path, tmp_path: Path
) -> None:
    paths = [str(repository / "include"), str(tmp_path / "elsewhere")]

    moved = moved_paths(paths, repository=repository, checkout=tmp_path / "checkout")

    assert moved == [str(tmp_path / "checkout" / "include"), str(tmp_path / "elsewhere")]
