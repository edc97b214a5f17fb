"""A fit is repeated with the recorded threads, packages and code, as far as they can be had."""

import platform
import subprocess
from pathlib import Path

import pytest

from mlops_core.data.documents import SnapshotIdentity
from mlops_core.reproduction import workplace
from mlops_core.reproduction.clean_process import code_paths
from mlops_core.reproduction.packages import installed_packages
from mlops_core.reproduction.workplace import environment_differences, recorded_workplace
from mlops_core.training.environment import CODE_VERSION_VARIABLE, CodeVersion, Environment
from mlops_core.training.job import SplitIdentity, TrainJob

pytestmark = pytest.mark.slow

PACKAGE = "recorded_model_package"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model's package of two commits, on Python's search path."""
    folder = tmp_path / "repository"
    package = folder / "include" / PACKAGE
    package.mkdir(parents=True)
    commit(folder, "init", "--quiet")
    for value in ("1", "2"):
        (package / "__init__.py").write_text(f'"""Version {value}."""\n')
        commit(folder, "add", ".")
        commit(folder, "commit", "--quiet", "-m", value)
    monkeypatch.syspath_prepend(str(folder / "include"))
    return folder


def commit(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def job() -> TrainJob:
    return TrainJob(
        pipeline="recorded",
        reference=f"{PACKAGE}:PIPELINE",
        candidate="line",
        snapshot=SnapshotIdentity(table_uri="/data/recorded", version=1, digest="0" * 64),
        split=SplitIdentity(training_partitions=("2013-01",), holdout_partitions=("2013-02",), digest="0"),
        operation_key="recorded",
        tracking_uri="http://127.0.0.1:1",
        data_uri="/data",
    )


def environment(**changes: object) -> Environment:
    fields = {
        "python": platform.python_version(),
        "platform": "Linux",
        "cpus": 8,
        "packages": installed_packages(),
        "code": None,
        "processor": "Fast 1",
        "threads": {"OMP_NUM_THREADS": 8, "OPENBLAS_NUM_THREADS": 4},
    }
    return Environment.model_validate({**fields, **changes})


def test_the_recorded_threads_are_set(tmp_path: Path) -> None:
    found = recorded_workplace(job(), environment(), cache=tmp_path / "cache")

    assert found.variables == {"OMP_NUM_THREADS": "8", "OPENBLAS_NUM_THREADS": "4"}
    assert list(found.code) == code_paths()


def test_a_record_sets_numbers_of_threads_and_nothing_else(tmp_path: Path) -> None:
    recorded = environment(threads={"OMP_NUM_THREADS": 8, "PYTHONINSPECT": 1, "LD_PRELOAD": 1})

    found = recorded_workplace(job(), recorded, cache=tmp_path / "cache")

    assert found.variables == {"OMP_NUM_THREADS": "8"}


def test_code_of_another_branch_is_not_run(repository: Path, tmp_path: Path) -> None:
    other = commit(repository, "rev-parse", "HEAD")
    commit(repository, "branch", "other")
    commit(repository, "reset", "--quiet", "--hard", "HEAD~")

    found = recorded_workplace(
        job(), environment(code=CodeVersion(commit=other, modified=False)), cache=tmp_path / "cache"
    )

    assert found.code[0] == str(repository / "include")
    assert not (tmp_path / "cache").exists()


def test_code_of_another_commit_comes_from_the_repository(repository: Path, tmp_path: Path) -> None:
    first = commit(repository, "rev-parse", "HEAD~")

    found = recorded_workplace(
        job(), environment(code=CodeVersion(commit=first, modified=False)), cache=tmp_path / "cache"
    )

    assert (Path(found.code[0]) / PACKAGE / "__init__.py").read_text() == '"""Version 1."""\n'
    assert str(repository / "include") not in found.code
    assert found.variables[CODE_VERSION_VARIABLE] == first


@pytest.mark.parametrize(
    "code",
    [
        None,
        CodeVersion(commit="0" * 40, modified=False),
        CodeVersion(commit="0" * 40, modified=True),
        CodeVersion(commit="--upload-pack=x", modified=False),
    ],
)
def test_code_that_cannot_be_had_stays_as_it_is_here(
    repository: Path, tmp_path: Path, code: CodeVersion | None
) -> None:
    found = recorded_workplace(job(), environment(code=code), cache=tmp_path / "cache")

    assert found.code[0] == str(repository / "include")
    assert CODE_VERSION_VARIABLE not in found.variables


def test_the_commit_that_is_here_needs_no_other_folder(repository: Path, tmp_path: Path) -> None:
    code = CodeVersion(commit=commit(repository, "rev-parse", "HEAD"), modified=False)

    found = recorded_workplace(job(), environment(code=code), cache=tmp_path / "cache")

    assert found.code[0] == str(repository / "include")
    assert not (tmp_path / "cache").exists()


def test_changes_since_the_commit_are_left_out(repository: Path, tmp_path: Path) -> None:
    (repository / "include" / PACKAGE / "__init__.py").write_text("CHANGED = True\n")
    code = CodeVersion(commit=commit(repository, "rev-parse", "HEAD"), modified=False)

    found = recorded_workplace(job(), environment(code=code), cache=tmp_path / "cache")

    assert (Path(found.code[0]) / PACKAGE / "__init__.py").read_text() == '"""Version 2."""\n'


def test_packages_of_other_versions_get_an_environment_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    python = tmp_path / "python"
    monkeypatch.setattr(
        workplace, "environment_python", lambda packages, cache: (asked.append((packages, cache)), python)[1]
    )
    recorded = environment(packages={"numpy": "2.4.0", "pytest": "1.0"})

    found = recorded_workplace(job(), recorded, cache=tmp_path)

    assert found.python == python
    assert asked == [({"numpy": "2.4.0"}, tmp_path)]
    assert found.variables["OMP_NUM_THREADS"] == "8"


def test_the_same_packages_need_no_other_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workplace, "environment_python", lambda *_, **__: pytest.fail("nothing to build"))

    recorded_workplace(job(), environment(), cache=tmp_path)


def test_differences_of_the_machine_are_told() -> None:
    rebuilt = environment(
        processor="Fast 2", threads={"OMP_NUM_THREADS": 2}, code=CodeVersion(commit="abc", modified=True)
    )

    assert [str(found) for found in environment_differences(environment(), rebuilt)] == [
        "processor was Fast 1 and is Fast 2",
        "code was absent and is abc+modified",
        "OMP_NUM_THREADS was 8 and is 2",
        "OPENBLAS_NUM_THREADS was 4 and is absent",
    ]
    assert environment_differences(environment(), environment()) == ()
