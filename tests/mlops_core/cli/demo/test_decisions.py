"""Steps whose outcome the data decide: whatever happens is reported, a contradiction ends the story."""

import io
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
from rich.console import Console

from evaluation_examples import RECORD, candidate, champion, difference, score
from mlops_core.cli.airflow_api import AirflowClient, DagRun, TaskInstance
from mlops_core.cli.demo import conductor, history, late, production, training
from mlops_core.cli.demo.conductor import Conductor
from mlops_core.cli.demo.outcome import Outcome
from mlops_core.cli.demo.progress import Progress
from mlops_core.cli.demo.stage import Stage
from mlops_core.cli.embedded.home import Home
from mlops_core.errors import StoryError
from mlops_core.evaluation.report import EvaluationReport, GateVerdict
from mlops_core.monitoring.decision import RetrainingDecision
from mlops_core.registry.ledger import Ledger
from mlops_core.serving.protocol import PredictionAnswer
from mlops_core.settings import Settings
from registry_examples import passed_report, recorded


class ScriptedStage(Stage):
    """A stage whose model server answers with a version that the test sets."""

    def ask_model_server(self) -> PredictionAnswer:
        return PredictionAnswer(model=self.model, version=self.served(), digest="d", predictions=())

    def served(self) -> int:
        raise NotImplementedError

    def report(self, run: DagRun) -> EvaluationReport:
        raise NotImplementedError


class Platform:
    """A fake Airflow, a real ledger with some versions in production, and what the model server answers."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.api = create_autospec(AirflowClient, instance=True)
        self.api.log_tail.return_value = "the log"
        self.xcoms: dict[str, Any] = {}
        self.api.xcom.side_effect = lambda _, task_id, **__: self.xcoms.get(task_id)
        self.api.runs.return_value = ()
        self.ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
        self.answering: int | None = None
        self.evaluation = passed_report(RECORD)
        monkeypatch.setattr(ScriptedStage, "served", lambda _: self.answering)
        monkeypatch.setattr(ScriptedStage, "report", lambda *_: self.evaluation)
        monkeypatch.setattr(conductor, "_APPEARS_WITHIN_S", 0)
        monkeypatch.setattr(conductor, "_SETTLED_S", 0)
        progress = Progress(Console(file=io.StringIO()), title="story", steps=["first"])
        self.stage = ScriptedStage(
            "flight_delay", Home(folder), Settings(home=folder), self.api, Conductor(self.api, progress)
        )

    def promote(self, *numbers: int) -> None:
        for record in recorded(self.ledger, *numbers):
            generation = self.ledger.state(record.model).generation
            self.ledger.promote(
                record.model,
                version=record.version,
                expected_generation=generation,
                operation_key=f"promote/{record.version}",
                evidence_digest=str(record.evidence_digest),
                actor="train",
                reason="better",
            )
            self.answering = record.version

    def end_with(self, state: str, **tasks: str) -> None:
        run = DagRun(dag_id="flight_delay__train", dag_run_id="one", state=state, run_type="manual")
        self.api.trigger.return_value = self.api.run.return_value = run
        self.api.task_instances.return_value = tuple(
            TaskInstance(task_id=name, state=result) for name, result in tasks.items()
        )

    def wait_for_approval(self, version: int, *, then: str) -> None:
        """Let a training wait for a person, and end in that state when it is answered."""
        waiting = DagRun(dag_id="flight_delay__train", dag_run_id="one", state="running", run_type="manual")
        self.api.trigger.return_value = self.api.run.return_value = waiting
        self.api.task_instances.return_value = (TaskInstance(task_id="approve", state="awaiting_input"),)
        self.xcoms |= {"evaluate": {"digest": "evidence"}, "register": {"version": version}}

        def answered(*_: object, **__: object) -> None:
            result = "success" if then == "success" else "failed"
            self.end_with(then, approve=result, gate="success", register="success")

        self.api.answer.side_effect = answered

    def refuse(self) -> None:
        """Let the gate refuse a challenger that is worse than version 3."""
        verdict = GateVerdict(
            gate="not worse", metric="roc_auc", kind="champion", passed=False, reason="worse by 0.02"
        )
        changes = {
            "verdicts": (verdict,),
            "challenger": candidate(score(0.78)),
            "champion": champion(score(0.80)),
            "differences": (difference(-0.02, -0.03, -0.01),),
        }
        self.evaluation = self.evaluation.model_copy(update=changes)
        self.end_with("failed", evaluate="success", gate="failed", register="upstream_failed")


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    return Platform(tmp_path, monkeypatch)


def train(platform: Platform) -> Any:
    return training.train(platform.stage, step=2, title="Train", reason="why")


def test_a_promotion_is_reported_with_version_and_metric(platform: Platform) -> None:
    platform.end_with("success", gate="success", register="success")
    platform.xcoms["register"] = {"version": 7}
    platform.answering = 7

    outcome = train(platform)

    assert (outcome.decision, outcome.version) == ("promoted", 7)
    assert outcome.metric.name == platform.evaluation.primary_metric
    assert "cold start" in outcome.happened


def test_a_promotion_that_the_model_server_does_not_follow_ends_the_story(platform: Platform) -> None:
    platform.end_with("success", gate="success", register="success")
    platform.xcoms["register"] = {"version": 7}
    platform.answering = 6

    with pytest.raises(StoryError, match="version 7 was promoted, but the model server answers with 6"):
        train(platform)


def test_a_refusal_by_the_gate_is_a_decision_with_its_numbers(platform: Platform) -> None:
    platform.promote(3)
    platform.refuse()

    outcome = train(platform)

    assert (outcome.decision, outcome.version) == ("refused", 3)
    for words in ("champion version 3 (0.8000)", "-0.0200 [-0.0300, -0.0100]", "worse by 0.02"):
        assert words in outcome.happened


def test_a_gate_that_fails_a_report_that_passed_ends_the_story(platform: Platform) -> None:
    platform.promote(3)
    platform.end_with("failed", evaluate="success", gate="failed")

    with pytest.raises(StoryError, match="says that it passed"):
        train(platform)


def test_a_refused_challenger_that_is_served_ends_the_story(platform: Platform) -> None:
    platform.promote(3)
    platform.refuse()
    platform.answering = 4

    with pytest.raises(StoryError, match="answers with version 4, not 3"):
        train(platform)


def test_any_other_failed_task_ends_the_story_with_its_log(platform: Platform) -> None:
    platform.end_with("failed", plan="success", train="failed", gate="upstream_failed")

    with pytest.raises(StoryError, match="failed at train; its log ends:\nthe log"):
        train(platform)


def decision(answer: str) -> RetrainingDecision:
    return RetrainingDecision.model_validate(
        {
            "pipeline": "flight_delay",
            "window": "2013-07",
            "answer": answer,
            "reasons": ("because",),
            "signals": (),
            "version": 1,
            "model_digest": "d",
            "snapshot_digest": "d",
            "report_digest": "d",
            "operation_key": "k",
            "decided_at": "2013-08-01T00:00:00Z",
        }
    )


def carry_out(platform: Platform, answer: str) -> Any:
    return production.carry_out(platform.stage, decision(answer), known=frozenset({"old"}), step=4)


@pytest.mark.parametrize("answer", ["wait", "refuse"])
def test_without_a_request_no_training_is_expected(platform: Platform, answer: str) -> None:
    platform.promote(1)

    assert carry_out(platform, answer).decision == answer

    platform.end_with("running")
    platform.api.runs.return_value = (platform.api.run.return_value,)
    with pytest.raises(StoryError, match=f"decided to {answer}, yet flight_delay__train runs"):
        carry_out(platform, answer)


def test_a_request_that_starts_no_training_ends_the_story(platform: Platform) -> None:
    with pytest.raises(StoryError, match="no run of flight_delay__train was started"):
        carry_out(platform, "retrain")


def test_with_one_version_there_is_nothing_to_roll_back_to(platform: Platform) -> None:
    platform.promote(1)

    outcome = production.roll_back(platform.stage, step=5)

    assert outcome.decision == "not possible"
    platform.api.trigger.assert_not_called()


def test_a_rollback_is_seen_at_the_model_server(platform: Platform) -> None:
    platform.promote(1, 2)
    platform.end_with("success", roll_back="success")
    platform.xcoms["roll_back"] = {"version": 1}
    platform.answering = 1

    outcome = production.roll_back(platform.stage, step=5)

    assert (outcome.decision, outcome.version) == ("rolled back", 1)
    assert platform.api.trigger.call_args.kwargs["conf"]["model"] == "flight_delay"


def test_a_rollback_that_the_model_server_does_not_follow_ends_the_story(platform: Platform) -> None:
    platform.promote(1, 2)
    platform.end_with("success", roll_back="success")
    platform.xcoms["roll_back"] = {"version": 1}

    with pytest.raises(StoryError, match="but the model server answers with 2"):
        production.roll_back(platform.stage, step=5)


def test_a_version_that_waits_is_approved_naming_the_evidence_that_was_read(platform: Platform) -> None:
    platform.wait_for_approval(7, then="success")
    platform.answering = 7

    outcome = train(platform)

    assert (outcome.decision, outcome.version) == ("promoted", 7)
    assert "approved; the model server answers with it" in outcome.happened
    asked = platform.api.answer.call_args
    assert asked.args[1:] == ("approve",)
    assert asked.kwargs["option"] == "Approve"
    assert asked.kwargs["fields"]["evidence"] == "evidence"


def approve_too_late(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Any:
    rolled_back = Outcome(step=5, title="Roll back", happened="back", decision="rolled back", version=1)
    monkeypatch.setattr(late.production, "roll_back", lambda *_, **__: rolled_back)
    return list(late.approve_too_late(platform.stage, step=5, reason="why", seed=1))


def test_an_approval_that_comes_after_a_roll_back_is_void(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.promote(1, 2)
    platform.wait_for_approval(3, then="failed")

    waits, back, void = approve_too_late(platform, monkeypatch)

    assert [waits.decision, back.decision, void.decision] == ["waits", "rolled back", "void"]
    assert (waits.version, void.version) == (3, 2)


def test_a_late_approval_that_promotes_ends_the_story(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.promote(1, 2)
    platform.wait_for_approval(3, then="success")

    with pytest.raises(StoryError, match="the approval of version 3 came after production had moved"):
        approve_too_late(platform, monkeypatch)


def test_with_one_version_there_is_nothing_to_be_late_for(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.promote(1)
    platform.wait_for_approval(2, then="success")
    platform.answering = 2

    promoted, back = approve_too_late(platform, monkeypatch)

    assert (promoted.decision, promoted.version) == ("promoted", 2)
    assert back.decision == "rolled back"


def test_the_history_is_told_and_verified(platform: Platform) -> None:
    platform.promote(1, 2)

    outcome = history.read(platform.stage, step=7)

    assert (outcome.decision, outcome.version) == ("verified", 2)
    assert "4 entries (register 2, promote 2), every hash verified" in outcome.happened
