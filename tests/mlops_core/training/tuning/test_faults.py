"""A search goes on where its process was killed, and ends as if nothing had happened."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

import tuning_models
import tuning_process
from mlops_core.training.job import TrainJob, TrainResult
from mlops_core.training.train import train
from mlops_core.training.tuning.documents import Tuning
from trained_models import load_trained

pytestmark = pytest.mark.integration
MakeJob = Callable[..., TrainJob]


def trials_of(client: MlflowClient, result: TrainResult, folder: Path) -> list[dict[str, object]]:
    text = Path(client.download_artifacts(result.run_id, "tuning.json", str(folder))).read_text()
    tuning = Tuning.model_validate_json(text)
    return [trial.model_dump(exclude={"seconds", "finished_at"}) for trial in tuning.trials]


def scores(job: TrainJob, result: TrainResult) -> list[float]:
    model = load_trained(result, job)
    return list(model.predict(tuning_models.load("2013-05").to_pandas()).scores)


def run_until_killed(job: TrainJob, folder: Path, *, fit: int) -> None:
    paths = [str(folder / name) for name in ("job.json", "result.json")]
    Path(paths[0]).write_text(job.model_dump_json())
    killed = subprocess.run(
        [sys.executable, str(tuning_process.__file__), *paths, str(fit)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not Path(paths[1]).exists()


@pytest.mark.parametrize("fit", [8, 15], ids=["in the search", "in an outer fold"])
def test_a_killed_search_ends_with_the_trials_and_the_model_of_an_undisturbed_one(
    job: MakeJob,
    client: MlflowClient,
    tmp_path: Path,
    fits: list[list[float]],
    monkeypatch: pytest.MonkeyPatch,
    fit: int,
) -> None:
    # given
    undisturbed = train(job("nested", operation_key=f"{tmp_path.name}/undisturbed"))
    whole = len(fits)
    asked = job("nested", operation_key=f"{tmp_path.name}/killed")
    run_until_killed(asked, tmp_path, fit=fit)
    monkeypatch.setattr(tuning_models, "fitted_rows", resumed_fits := [])

    # when
    result = train(asked)

    # then
    assert result.parameters == undisturbed.parameters
    assert scores(asked, result) == scores(asked, undisturbed)
    assert result.cross_validation == undisturbed.cross_validation
    assert trials_of(client, result, tmp_path) == trials_of(client, undisturbed, tmp_path)
    assert len(resumed_fits) < whole
