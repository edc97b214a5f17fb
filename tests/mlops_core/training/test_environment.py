"""What a model was fitted with is written down."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from mlops_core.training.environment import Environment, capture_environment, code_version


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
    (tmp_path / "models.py").write_text("x = 1\n")
    for arguments in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "-m", "Begin"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return tmp_path


def test_versions_are_those_of_this_process(tmp_path: Path) -> None:
    environment = capture_environment(tmp_path)

    assert environment.python == platform.python_version()
    assert environment.packages["scikit-learn"] == metadata.version("scikit-learn")
    assert environment.cpus >= 1
    assert Environment.model_validate_json(environment.model_dump_json()) == environment


def test_the_threads_are_those_that_libraries_compute_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pools = [
        {"internal_api": "openmp", "num_threads": 8},
        {"internal_api": "openblas", "num_threads": 2},
        {"internal_api": "openblas", "num_threads": 8},
        {"internal_api": "blis", "num_threads": 3},
    ]
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: pools)
    monkeypatch.setattr("joblib.cpu_count", lambda only_physical_cores: 4)  # noqa: ARG005  joblib's own name
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)

    assert capture_environment(tmp_path).threads == {"OMP_NUM_THREADS": 4, "OPENBLAS_NUM_THREADS": 8}
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert capture_environment(tmp_path).threads == {"OMP_NUM_THREADS": 8, "OPENBLAS_NUM_THREADS": 8}


def test_an_environment_of_before_threads_were_recorded_is_read(tmp_path: Path) -> None:
    recorded = capture_environment(tmp_path).model_dump(exclude={"threads", "processor"})

    assert Environment.model_validate(recorded).threads == {}


def test_a_committed_folder_has_its_commit(repository: Path) -> None:
    code = code_version(repository)

    assert code is not None
    assert len(code.commit) == 40
    assert not code.modified


@pytest.mark.parametrize("name", ["models.py", "new.py"])
def test_changed_and_new_files_show(repository: Path, name: str) -> None:
    (repository / name).write_text("x = 2\n")

    code = code_version(repository)

    assert code is not None
    assert code.modified


def test_a_folder_under_no_version_control_has_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert code_version(tmp_path) is None


def test_a_machine_without_git_has_no_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert code_version(repository) is None


def test_code_in_an_image_is_of_the_commit_that_its_variable_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_CODE_VERSION", "0123abc+modified")

    code = code_version(tmp_path)

    assert code is not None
    assert (code.commit, code.modified, str(code)) == ("0123abc", True, "0123abc+modified")
