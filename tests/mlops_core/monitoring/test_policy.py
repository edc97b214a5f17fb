from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_core.data.snapshots import SnapshotStore
from mlops_core.errors import DeclarationError
from mlops_core.monitoring.policy import Answer, RetrainingDecision, decide
from mlops_core.monitoring.report import MonitorReport
from mlops_core.pipeline import RetrainingPolicy
from mlops_core.registry.ledger import Ledger
from registry_examples import Clock, version_record

NOW = datetime(2013, 8, 1, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock, examples: Any) -> Iterator[Ledger]:
    """A ledger in which the version that scores is in production."""
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock) as opened:
        opened.record_version(examples.version, operation_key="register/1", actor="train")
        opened.promote(
            "toy",
            version=1,
            expected_generation=0,
            operation_key="promote/1",
            evidence_digest=examples.version.evidence_digest,
            actor="ada",
            reason="first",
        )
        yield opened


@pytest.fixture
def decided(ledger: Ledger, store: SnapshotStore, examples: Any) -> Callable[..., RetrainingDecision]:
    def run(report: MonitorReport, key: str = "monitor/1/decide", **changes: Any) -> RetrainingDecision:
        arguments: dict[str, Any] = {
            "report": report,
            "ledger": ledger,
            "store": store,
            "operation_key": key,
            "now": NOW,
        }
        pipeline = changes.pop("pipeline", examples.pipeline())
        return decide(pipeline, **{**arguments, **changes})

    return run


@pytest.fixture
def drifted(report_of: Callable[..., MonitorReport], examples: Any) -> MonitorReport:
    return report_of(examples.rows(shift=2.0))


def test_the_decision_is_in_the_ledger_with_its_window(
    decided: Callable[..., RetrainingDecision], drifted: MonitorReport, ledger: Ledger, store: SnapshotStore
) -> None:
    decision = decided(drifted)
    assert decision.answer is Answer.RETRAIN
    assert decision.report_digest == drifted.digest()
    assert decision.snapshot_digest == store.current("toy").digest
    newest = ledger.decisions("toy", limit=1)[0]
    assert newest.window == "2013-07"
    assert RetrainingDecision.model_validate(newest.decision) == decision


def test_the_same_operation_key_gets_the_same_answer_whatever_happened_since(
    decided: Callable[..., RetrainingDecision], drifted: MonitorReport, ledger: Ledger, store: SnapshotStore
) -> None:
    first = decided(drifted)
    ledger.record_training(
        "toy",
        snapshot_digest=store.current("toy").digest,
        partitions=("2013-07",),
        operation_key="train/1",
        requested_by="policy",
    )
    assert decided(drifted, now=NOW + timedelta(days=1)) == first
    assert sum(record.operation_key == first.operation_key for record in ledger.decisions("toy")) == 1


def test_another_run_about_the_same_data_is_refused(
    decided: Callable[..., RetrainingDecision], drifted: MonitorReport
) -> None:
    assert decided(drifted).answer is Answer.RETRAIN
    again = decided(drifted, "monitor/2/decide", now=NOW + timedelta(days=365))
    assert again.answer is Answer.REFUSE
    assert "a training on the same data was requested" in again.reasons[-1]


def test_new_data_wait_until_the_open_request_is_answered(
    decided: Callable[..., RetrainingDecision],
    drifted: MonitorReport,
    report_of: Callable[..., MonitorReport],
    ledger: Ledger,
    examples: Any,
    clock: Clock,
) -> None:
    clock.now = NOW
    requested = decided(drifted)
    august = report_of(examples.rows(shift=2.0, seed=8), partition="2013-08")
    waits = decided(august, "monitor/2/decide", now=clock.forward(hours=1))
    ledger.record_training(
        "toy",
        snapshot_digest=requested.snapshot_digest,
        partitions=("2013-07",),
        operation_key="train/1",
        requested_by="policy",
    )
    retrains = decided(august, "monitor/3/decide", now=clock.forward(hours=1))
    assert [one.answer for one in (requested, waits, retrains)] == ["retrain", "wait", "retrain"]


def test_a_task_killed_after_its_claim_keeps_its_answer(
    decided: Callable[..., RetrainingDecision],
    drifted: MonitorReport,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = ledger.record_decision

    def die_on_own_key(model: str, *, operation_key: str, **rest: Any) -> Any:
        if operation_key == "monitor/1/decide":
            raise KeyboardInterrupt
        return record(model, operation_key=operation_key, **rest)

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "record_decision", die_on_own_key)
        with pytest.raises(KeyboardInterrupt):
            decided(drifted)
    assert decided(drifted, now=NOW + timedelta(hours=2)).answer is Answer.RETRAIN
    assert decided(drifted, "monitor/2/decide").answer is Answer.REFUSE


def test_of_many_runs_at_once_one_asks_for_retraining(
    decided: Callable[..., RetrainingDecision], drifted: MonitorReport
) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: decided(drifted, f"monitor/{number}/decide").answer, range(8)))
    assert sorted(answers) == ["refuse"] * 7 + ["retrain"]


def test_a_run_that_loses_the_claim_says_who_won(
    decided: Callable[..., RetrainingDecision],
    drifted: MonitorReport,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decided(drifted)
    # The loser looked before the winner had written.
    monkeypatch.setattr(ledger, "decisions", lambda _model, **_limit: ())
    loser = decided(drifted, "monitor/2/decide")
    assert loser.answer is Answer.REFUSE
    assert "after window 2013-07" in loser.reasons[-1]


def test_a_rolled_back_version_asks_for_nothing(
    decided: Callable[..., RetrainingDecision], drifted: MonitorReport, ledger: Ledger
) -> None:
    successor = version_record(2, model="toy")
    ledger.record_version(successor, operation_key="register/2", actor="train")
    ledger.promote(
        "toy",
        version=2,
        expected_generation=1,
        operation_key="promote/2",
        evidence_digest=str(successor.evidence_digest),
        actor="ada",
        reason="better",
    )
    assert decided(drifted).answer is Answer.REFUSE


def test_decisions_of_another_form_count_for_nothing(
    decided: Callable[..., RetrainingDecision], drifted: MonitorReport, ledger: Ledger
) -> None:
    ledger.record_decision("toy", operation_key="old", window="2013-06", decision={"answer": "retrain"})
    assert decided(drifted).answer is Answer.RETRAIN


def test_persistence_reads_the_recorded_decisions(
    decided: Callable[..., RetrainingDecision], report_of: Callable[..., MonitorReport], examples: Any
) -> None:
    patient = examples.pipeline(retraining=RetrainingPolicy(persistence_windows=2))
    july, august = (
        report_of(examples.rows(shift=2.0, seed=seed), partition=partition)
        for seed, partition in ((7, "2013-07"), (8, "2013-08"))
    )
    answers = [
        decided(report, f"monitor/{report.partition}/decide", pipeline=patient).answer
        for report in (july, august)
    ]
    assert answers == ["wait", "retrain"]


def test_a_moment_without_a_time_zone_is_refused(
    decided: Callable[..., RetrainingDecision], drifted: MonitorReport
) -> None:
    with pytest.raises(DeclarationError, match="names no time zone"):
        decided(drifted, now=datetime(2013, 8, 1))


def test_a_report_of_another_pipeline_is_refused(
    decided: Callable[..., RetrainingDecision], drifted: MonitorReport, examples: Any
) -> None:
    with pytest.raises(DeclarationError, match="the report is of 'toy', given was 'other'"):
        decided(drifted, pipeline=examples.pipeline(name="other"))
