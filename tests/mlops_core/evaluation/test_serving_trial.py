"""The trial's own part, in this process; that it runs in a clean one is tested with the part."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from evaluation_examples import BINARY, MULTICLASS, RECORD, REGRESSION
from mlops_core.errors import InvalidRecordsError
from mlops_core.evaluation import serving_trial
from mlops_core.evaluation.catalogue import Task
from mlops_core.evaluation.serving_trial import TrialAnswer, TrialOrder, main, run_trial
from mlops_core.models.loaded import LoadedModel
from mlops_core.models.trust import TrustedCode

FEATURES = {"x": "double", "member": "boolean"}
FRAME = pd.DataFrame({"x": np.linspace(-1, 1, 30), "member": np.arange(30) % 2.0})
TRUSTED = TrustedCode(trusted_types=frozenset({"toy.Type"}), packages=frozenset({"toy"}))
CLASSES = {BINARY: [False, True], MULTICLASS: ["a", "b", "c"]}


def model_of(task: Task) -> LoadedModel:
    if task is REGRESSION:
        estimator: Any = LinearRegression().fit(FRAME, FRAME["x"])
    else:
        names = np.array(CLASSES[task])
        estimator = LogisticRegression().fit(FRAME, names[np.arange(30) * len(names) // 30])
    return LoadedModel.of(
        estimator, task=task, features=FEATURES, input_example=FRAME.head(3), digest=RECORD.digest
    )


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> dict[str, LoadedModel]:
    """Take MLflow's place: a model, whose files are 1,500 bytes."""
    models: dict[str, LoadedModel] = {"model": model_of(BINARY)}

    def load(record: object, *, tracking_uri: str, trusted: TrustedCode, cache: Path) -> LoadedModel:
        assert (record, tracking_uri, trusted) == (RECORD, "http://mlflow", TRUSTED)
        (cache / "digest" / "data").mkdir(parents=True)
        (cache / "digest" / "MLmodel").write_bytes(b"0" * 500)
        (cache / "digest" / "data" / "weights").write_bytes(b"0" * 1000)
        return models["model"]

    monkeypatch.setattr(serving_trial, "load_model", load)
    return models


def order(folder: Path, *requests: tuple[dict[str, Any], ...]) -> TrialOrder:
    return TrialOrder(
        model=RECORD,
        trusted=TRUSTED,
        tracking_uri="http://mlflow",
        folder=str(folder / "models"),
        requests=requests,
    )


GOOD = {"x": 0.5, "member": True}


@pytest.mark.parametrize("task", [BINARY, MULTICLASS, REGRESSION])
def test_each_request_is_timed_and_the_example_is_answered_as_the_server_does(
    tmp_path: Path, stored: dict[str, LoadedModel], task: Task
) -> None:
    stored["model"] = model_of(task)

    answer = run_trial(order(tmp_path, (GOOD,), (GOOD, GOOD)))

    assert len(answer.milliseconds) == 2
    assert min(answer.milliseconds) > 0
    expected = stored["model"].predict(FRAME.head(3))
    assert [row["label"] for row in answer.example] == expected.labels.tolist()
    scores = [row["score"] for row in answer.example]
    if task is MULTICLASS:
        assert [list(score.values()) for score in scores] == expected.scores.tolist()
    else:
        assert scores == expected.scores.tolist()


@pytest.mark.usefixtures("stored")
def test_the_size_is_that_of_all_files_and_memory_that_of_the_process(tmp_path: Path) -> None:
    answer = run_trial(order(tmp_path, (GOOD,)))

    assert answer.size_bytes == 1500
    assert 50e6 < answer.peak_memory_bytes < 20e9
    assert answer.load_seconds > 0


@pytest.mark.usefixtures("stored")
def test_a_request_that_the_server_would_refuse_ends_the_trial(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecordsError, match="member"):
        run_trial(order(tmp_path, ({"x": 0.5, "member": 3},)))


def test_order_and_answer_are_files(tmp_path: Path, stored: dict[str, LoadedModel]) -> None:
    asked, answered = tmp_path / "order.json", tmp_path / "answer.json"
    asked.write_text(order(tmp_path, (GOOD,)).model_dump_json())

    main(str(asked), str(answered))

    found = TrialAnswer.model_validate_json(answered.read_bytes())
    assert found.example[0]["score"] == stored["model"].predict(FRAME.head(1)).scores[0]
