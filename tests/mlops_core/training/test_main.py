"""A train job as a process: a file in, a file out, and an exit code that says whether to try again."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_core.errors import DeclarationError, EvaluationError, LeaderFailedError, MlopsError
from mlops_core.training import train as training
from mlops_core.training.__main__ import REJECTED, SUCCEEDED, UNAVAILABLE, WRONGLY_DECLARED, main
from mlops_core.training.failure import read_error
from mlops_core.training.job import TrainJob, TrainResult
from mlops_core.training.train import train
from servers import free_port

pytestmark = pytest.mark.slow

MakeJob = Callable[..., TrainJob]


def call(job: TrainJob, folder: Path) -> int:
    (folder / "job.json").write_text(job.model_dump_json())
    return main(["--job", str(folder / "job.json"), "--result", str(folder / "out" / "result.json")])


def test_the_result_is_the_one_that_train_gives(make_job: MakeJob, tmp_path: Path) -> None:
    assert call(make_job(), tmp_path) == SUCCEEDED

    written = TrainResult.model_validate_json((tmp_path / "out" / "result.json").read_text())
    assert written == train(make_job())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["result.json"]


@pytest.mark.parametrize(
    ("fields", "code", "error", "words"),
    [
        ({"candidate": "forest"}, WRONGLY_DECLARED, DeclarationError, "has no candidate 'forest'"),
        (
            {
                "pipeline": "toy_regression",
                "reference": "odd_models:DIVERGING",
                "candidate": "diverged",
                "parameters": {},
            },
            REJECTED,
            EvaluationError,
            "predictions on training rows are NaN or infinite: the fit has diverged",
        ),
    ],
)
def test_a_job_that_cannot_succeed_says_why_and_writes_no_result(
    make_job: MakeJob,
    tmp_path: Path,
    fields: dict[str, object],
    code: int,
    error: type[MlopsError],
    words: str,
) -> None:
    assert call(make_job(**fields), tmp_path) == code

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["result.error.json"]
    written = read_error((tmp_path / "out" / "result.error.json").read_bytes())
    assert type(written) is error
    assert words in str(written)


def test_the_first_process_of_another_machine_writes_its_own_reason(
    make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_job: TrainJob) -> None:
        raise LeaderFailedError("the first has failed") from EvaluationError("the loss is nan")

    monkeypatch.setattr(training, "train", fail)
    for name, value in {"RANK": "1", "LOCAL_RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)

    # The job ends with the first process's own exit code.
    assert call(make_job(), tmp_path) == SUCCEEDED

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["result.error.json"]
    written = read_error((tmp_path / "out" / "result.error.json").read_bytes())
    assert repr(written) == "EvaluationError('the loss is nan')"


@pytest.mark.parametrize("content", [None, "", "{}", '{"pipeline": "toy"'])
def test_an_unreadable_job_is_wrongly_declared(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "job.json").write_text(content)

    code = main(["--job", str(tmp_path / "job.json"), "--result", str(tmp_path / "result.json")])

    assert code == WRONGLY_DECLARED


def test_a_former_result_is_replaced_as_a_whole(make_job: MakeJob, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "result.json").write_text("old")

    assert call(make_job(), tmp_path) == SUCCEEDED

    assert TrainResult.model_validate_json((tmp_path / "out" / "result.json").read_text())


def test_a_server_that_does_not_answer_is_worth_another_try(
    make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    assert call(make_job(tracking_uri=f"http://127.0.0.1:{free_port()}"), tmp_path) == UNAVAILABLE


def test_as_a_process_it_prints_the_reason_and_returns_the_code(make_job: MakeJob, tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(make_job(candidate="forest").model_dump_json())

    files = ["--job", str(tmp_path / "job.json"), "--result", str(tmp_path / "result.json")]
    answer = subprocess.run(
        [sys.executable, "-m", "mlops_core.training", *files],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == WRONGLY_DECLARED
    assert "has no candidate 'forest'" in answer.stderr
    assert answer.stdout == ""
