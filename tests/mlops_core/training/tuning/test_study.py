"""The journal of a search outlives what a kill leaves behind."""

from pathlib import Path

import pytest

from mlops_core.evaluation.catalogue import find_metric
from mlops_core.search import Choice, Float, Integer, Search
from mlops_core.training.tuning.study import ask, finished, open_study

MAE = find_metric("mae")
SEARCH = Search(
    parameters={
        "rate": Float(low=0.001, high=10, log=True),
        "leaves": Integer(low=2, high=64, log=True),
        "kind": Choice((1, True, None, "a")),
    }
)


def add_trials(folder: Path | None, count: int) -> list[dict[str, object]]:
    study = open_study("search", metric=MAE, folder=folder)
    for _ in range(count):
        trial = ask(study, SEARCH, seed=5)
        study.tell(trial, trial.params["rate"])
    return [dict(trial.params) for trial in finished(study)]


def test_parameters_lie_in_their_ranges() -> None:
    for parameters in add_trials(None, 30):
        assert 0.001 <= float(str(parameters["rate"])) <= 10
        assert isinstance(parameters["leaves"], int)
        assert 2 <= parameters["leaves"] <= 64
        assert parameters["kind"] in {1, None, "a"}


def test_a_study_that_is_opened_for_every_trial_makes_the_same_trials(tmp_path: Path) -> None:
    whole = add_trials(None, 14)

    for _ in whole:
        add_trials(tmp_path, 1)

    assert add_trials(tmp_path, 0) == whole


def test_a_trial_that_was_killed_is_made_again(tmp_path: Path) -> None:
    add_trials(tmp_path, 2)
    ask(open_study("search", metric=MAE, folder=tmp_path), SEARCH, seed=5)

    assert add_trials(tmp_path, 12) == add_trials(None, 14)


def test_a_lock_that_a_kill_has_left_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(_: float) -> None:
        raise AssertionError("it waits for a lock that nobody holds")

    add_trials(tmp_path, 2)
    (tmp_path / "search.journal.lock").symlink_to(tmp_path / "search.journal")
    monkeypatch.setattr("time.sleep", wait)

    assert len(add_trials(tmp_path, 1)) == 3


def test_half_a_line_at_the_end_is_taken_away(tmp_path: Path) -> None:
    journal = tmp_path / "search.journal"
    add_trials(tmp_path, 3)
    before = journal.read_bytes()
    journal.write_bytes(before + b'{"op_code":5,"worker')

    add_trials(tmp_path, 1)

    assert journal.read_bytes().startswith(before)
    assert add_trials(tmp_path, 0) == add_trials(None, 4)


@pytest.mark.parametrize("content", [b"not json\n{}\n", b"{}\n", b"[]\n"])
def test_a_journal_that_cannot_be_read_begins_again(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "search.journal").write_bytes(content)

    assert add_trials(tmp_path, 2) == add_trials(None, 2)
    assert "its search begins again" in caplog.text


@pytest.mark.parametrize(("metric", "direction"), [("mae", "MINIMIZE"), ("roc_auc", "MAXIMIZE")])
def test_a_study_looks_the_way_in_which_its_metric_is_better(metric: str, direction: str) -> None:
    study = open_study("search", metric=find_metric(metric), folder=None)

    assert study.direction.name == direction
