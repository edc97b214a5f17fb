"""A fit may ask for its train job, and finds its own checkpoints."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mlops_core.training.context import (
    CHECKPOINTS_VARIABLE,
    TrainingContext,
    checkpoint_folder,
    current_training,
    delete_checkpoints,
    training_context,
)
from mlops_core.training.job import TrainJob

MakeJob = Callable[..., TrainJob]


def test_the_current_job_is_known_within_the_block_and_in_no_other_thread(tmp_path: Path) -> None:
    context = TrainingContext(run_id="r", checkpoints=tmp_path)
    elsewhere: list[TrainingContext | None] = []

    with training_context(context):
        assert current_training() is context
        thread = threading.Thread(target=lambda: elsewhere.append(current_training()))
        thread.start()
        thread.join()

    assert elsewhere == [None]
    assert current_training() is None


def test_a_retry_has_the_same_folder_and_every_other_job_another(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLOPS_HOME", str(tmp_path))
    monkeypatch.delenv(CHECKPOINTS_VARIABLE, raising=False)
    folder = checkpoint_folder(make_job())

    assert folder.parent == tmp_path / "checkpoints"
    assert checkpoint_folder(make_job()) == folder
    assert checkpoint_folder(make_job(seed=4)) != folder
    assert checkpoint_folder(make_job(operation_key="other")) != folder


def test_the_variable_moves_the_folder(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(CHECKPOINTS_VARIABLE, str(tmp_path / "volume"))

    assert checkpoint_folder(make_job()).parent == tmp_path / "volume"


def test_deleting_what_is_not_there_does_nothing(tmp_path: Path) -> None:
    delete_checkpoints(tmp_path / "nothing")

    assert list(tmp_path.iterdir()) == []
