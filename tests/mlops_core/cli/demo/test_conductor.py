import io
from unittest.mock import create_autospec

import pytest
from rich.console import Console

from mlops_core.cli.airflow_api import AirflowClient, DagRun, TaskInstance
from mlops_core.cli.demo import conductor
from mlops_core.cli.demo.conductor import Conductor
from mlops_core.cli.demo.progress import Progress
from mlops_core.errors import StoryError


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conductor, "_POLL_S", 0)
    monkeypatch.setattr(conductor, "_SETTLED_S", 0)
    for name in ("_APPEARS_WITHIN_S", "_OVER_WITHIN_S", "_DAGS_WITHIN_S"):
        monkeypatch.setattr(conductor, name, 0.05)


class Follower:
    """A conductor whose API is a fake, and what it has shown."""

    def __init__(self) -> None:
        self.api = create_autospec(AirflowClient, instance=True)
        self.api.task_instances.return_value = ()
        self.shown = io.StringIO()
        progress = Progress(Console(file=self.shown, width=120), title="story", steps=["first"])
        self.conductor = Conductor(self.api, progress)


@pytest.fixture
def follower() -> Follower:
    return Follower()


def run(state: str, *, run_id: str = "one", partition_key: str | None = None) -> DagRun:
    return DagRun(
        dag_id="life__ingest",
        dag_run_id=run_id,
        state=state,
        run_type="manual",
        partition_key=partition_key,
    )


def test_runs_are_followed_to_their_end(follower: Follower) -> None:
    follower.api.run.side_effect = [run("queued"), run("running"), run("failed")]

    (ended,) = follower.conductor.finish([run("queued")])

    assert ended.state == "failed"
    assert follower.shown.getvalue().split() == [
        *("0.0", "s", "life__ingest:", "queued"),
        *("0.0", "s", "life__ingest:", "running"),
        *("0.0", "s", "life__ingest:", "failed"),
    ]


def test_runs_behind_a_queued_one_are_not_asked_for(follower: Follower) -> None:
    answers = {"one": iter(["queued", "success"]), "two": iter(["success"])}
    follower.api.run.side_effect = lambda _, run_id: run(next(answers[run_id]), run_id=run_id)

    ended = follower.conductor.finish([run("queued"), run("queued", run_id="two")])

    assert [one.state for one in ended] == ["success", "success"]


def test_a_run_that_never_ends_is_given_up(follower: Follower) -> None:
    follower.api.run.return_value = run("running", partition_key="2013-01")

    with pytest.raises(StoryError, match="life__ingest 2013-01 is not over"):
        follower.conductor.finish([run("queued")])


def test_a_failed_run_is_told_with_the_log_of_the_task_that_failed(follower: Follower) -> None:
    follower.api.task_instances.return_value = (
        TaskInstance(task_id="validate", state="failed", try_number=1),
        TaskInstance(task_id="publish", state="upstream_failed"),
    )
    follower.api.log_tail.return_value = "ERROR the rows are wrong"

    with pytest.raises(StoryError, match=r"failed at validate; its log ends:\nERROR the rows are wrong"):
        follower.conductor.require_success(run("failed"))


def test_a_run_started_by_an_event_is_told_from_those_before(follower: Follower) -> None:
    follower.api.runs.side_effect = [
        (run("success", run_id="old", partition_key="2013-07"),),
        (
            run("success", run_id="old", partition_key="2013-07"),
            run("queued", run_id="other", partition_key="2013-06"),
            run("queued", run_id="new", partition_key="2013-07"),
        ),
    ]

    found = follower.conductor.expect("life__ingest", known={"old"}, partition_key="2013-07")

    assert found.run_id == "new"


def test_an_event_that_starts_nothing_is_a_failure(follower: Follower) -> None:
    follower.api.runs.return_value = ()

    with pytest.raises(StoryError, match="no run of life__score for 2013-07 was started"):
        follower.conductor.expect("life__score", partition_key="2013-07")


def test_dags_that_do_not_import_are_explained(follower: Follower) -> None:
    follower.api.dag_ids.return_value = ("life__ingest",)
    follower.api.import_errors.return_value = ("life.py: no such metric",)

    with pytest.raises(StoryError, match=r"does not know the DAGs life__train:\nlife.py: no such metric"):
        follower.conductor.wait_for_dags({"life__ingest", "life__train"})


def test_a_run_is_followed_until_a_task_waits_for_a_person(follower: Follower) -> None:
    follower.api.run.side_effect = [run("queued"), run("running"), run("running")]
    follower.api.task_instances.side_effect = [
        (TaskInstance(task_id="approve", state=None),),
        (TaskInstance(task_id="approve", state="awaiting_input"),),
    ]

    assert follower.conductor.until_waiting(run("queued"), "approve") is True


def test_a_run_that_is_over_waits_for_nobody(follower: Follower) -> None:
    follower.api.run.return_value = run("failed")

    assert follower.conductor.until_waiting(run("queued"), "approve") is False


def test_a_run_that_reaches_no_person_is_given_up(follower: Follower) -> None:
    follower.api.run.return_value = run("running")

    with pytest.raises(StoryError, match="is not at approve"):
        follower.conductor.until_waiting(run("queued"), "approve")


def test_a_task_that_was_answered_is_followed_until_it_waits_no_longer(follower: Follower) -> None:
    follower.api.task_instances.side_effect = [
        (TaskInstance(task_id="approve", state="awaiting_input"),),
        (TaskInstance(task_id="approve", state="scheduled"),),
    ]

    follower.conductor.until_resumed(run("running"), "approve")

    follower.api.task_instances.side_effect = None
    follower.api.task_instances.return_value = (TaskInstance(task_id="approve", state="awaiting_input"),)
    with pytest.raises(StoryError, match="was answered and still waits"):
        follower.conductor.until_resumed(run("running"), "approve")
