from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from mlops_core.monitoring.decision import Answer, RetrainingDecision
from mlops_core.monitoring.judgement import Circumstances, PastDecision, judge
from mlops_core.monitoring.report import MonitorReport
from mlops_core.pipeline import RetrainingPolicy
from mlops_core.registry.records import TrainingRecord, VersionRecord
from registry_examples import version_record

NOW = datetime(2013, 8, 1, 12, tzinfo=UTC)
POLICY = RetrainingPolicy()

ReportOf = Callable[..., MonitorReport]


@pytest.fixture
def drifted(report_of: ReportOf, examples: Any) -> MonitorReport:
    """A window whose scores drifted: the policy listens to that."""
    return report_of(examples.rows(shift=2.0))


@pytest.fixture
def quiet(report_of: ReportOf, examples: Any) -> MonitorReport:
    return report_of(examples.rows())


@pytest.fixture
def champion(examples: Any) -> VersionRecord:
    return examples.version


def circumstances(champion: VersionRecord | None, **changes: Any) -> Circumstances:
    fields: dict[str, Any] = {
        "champion": champion,
        "snapshot_digest": "now",
        "partitions": ("2013-06", "2013-07"),
        "trainings": (training(),),
        "decisions": (),
        "now": NOW,
    }
    return Circumstances(**{**fields, **changes})


def training(**changes: Any) -> TrainingRecord:
    fields: dict[str, Any] = {
        "model": "toy",
        "snapshot_digest": "before",
        "partitions": ("2013-06",),
        "operation_key": "train/1",
        "requested_by": "ada",
        "at": NOW - timedelta(days=7),
    }
    return TrainingRecord(**{**fields, **changes})


def past(report: MonitorReport, *, at: datetime = NOW - timedelta(hours=1), **changes: Any) -> PastDecision:
    fields: dict[str, Any] = {
        "pipeline": "toy",
        "window": "2013-06",
        "answer": Answer.WAIT,
        "reasons": ("because",),
        "signals": tuple(sorted(report.signals)),
        "version": report.version,
        "model_digest": report.model_digest,
        "snapshot_digest": "before",
        "report_digest": "report",
        "operation_key": "decide/before",
        "decided_at": at,
    }
    return PastDecision(decision=RetrainingDecision(**{**fields, **changes}), at=at)


def test_a_finding_that_the_policy_listens_to_asks_for_retraining(
    drifted: MonitorReport, champion: VersionRecord
) -> None:
    answer, reasons = judge(POLICY, report=drifted, circumstances=circumstances(champion))
    assert answer is Answer.RETRAIN
    (reason,) = reasons
    assert reason.startswith("prediction drift: score: distance 0.")
    assert reason.endswith("at 400 rows")


def test_nothing_found_waits_and_says_what_was_compared(
    quiet: MonitorReport, champion: VersionRecord
) -> None:
    answer, (reason,) = judge(POLICY, report=quiet, circumstances=circumstances(champion))
    assert answer is Answer.WAIT
    assert reason.startswith("nothing to act on in window 2013-07 (data: no drift; predictions: no drift")


def test_a_finding_that_the_policy_does_not_listen_to_waits(
    drifted: MonitorReport, champion: VersionRecord
) -> None:
    deaf = RetrainingPolicy(on=frozenset({"performance"}))
    answer, (reason,) = judge(deaf, report=drifted, circumstances=circumstances(champion))
    assert answer is Answer.WAIT
    assert reason.endswith("the policy retrains on performance")


def test_insufficient_data_waits(report_of: ReportOf, examples: Any, champion: VersionRecord) -> None:
    few = report_of(examples.rows(50, shift=5.0))
    answer, (reason,) = judge(POLICY, report=few, circumstances=circumstances(champion))
    assert answer is Answer.WAIT
    assert reason.count("insufficient data") == 3


def test_the_same_data_are_never_trained_on_twice(drifted: MonitorReport, champion: VersionRecord) -> None:
    done = circumstances(champion, trainings=(training(), training(snapshot_digest="now")))
    answer, reasons = judge(POLICY, report=drifted, circumstances=done)
    assert answer is Answer.REFUSE
    assert "a training on the same data was attempted at 2013-07-25 12:00 UTC" in reasons[-1]


def test_the_same_data_are_never_asked_for_twice_even_if_nothing_was_trained(
    drifted: MonitorReport, champion: VersionRecord
) -> None:
    asked = past(drifted, at=NOW - timedelta(days=30), answer=Answer.RETRAIN, snapshot_digest="now")
    answer, reasons = judge(POLICY, report=drifted, circumstances=circumstances(champion, decisions=(asked,)))
    assert answer is Answer.REFUSE
    assert "was requested at 2013-07-02 12:00 UTC after window 2013-06" in reasons[-1]


def test_a_finding_about_a_version_that_left_production_is_refused(drifted: MonitorReport) -> None:
    successor = version_record(2, model="toy")
    answer, reasons = judge(POLICY, report=drifted, circumstances=circumstances(successor))
    assert answer is Answer.REFUSE
    assert "version 1 scored the window, and version 2 is in production now" in reasons[-1]
    assert judge(POLICY, report=drifted, circumstances=circumstances(None))[0] is Answer.REFUSE


def test_the_cooldown_waits_for_new_partitions(drifted: MonitorReport, champion: VersionRecord) -> None:
    patient = RetrainingPolicy(cooldown_partitions=2)
    answer, reasons = judge(patient, report=drifted, circumstances=circumstances(champion))
    assert answer is Answer.WAIT
    assert reasons[-1] == "1 new partitions since the training of 2013-07-25 12:00 UTC; the cooldown is 2"


@pytest.mark.parametrize(("hours", "answer"), [(7 * 24, Answer.RETRAIN), (7 * 24 + 0.5, Answer.WAIT)])
def test_the_cooldown_waits_for_hours(
    drifted: MonitorReport, champion: VersionRecord, hours: float, answer: Answer
) -> None:
    patient = RetrainingPolicy(cooldown_hours=hours)
    assert judge(patient, report=drifted, circumstances=circumstances(champion))[0] is answer


def test_a_run_that_was_due_before_the_last_training_needs_no_hours(
    drifted: MonitorReport, champion: VersionRecord
) -> None:
    later = circumstances(champion, trainings=(training(at=NOW + timedelta(hours=1)),))
    assert judge(POLICY, report=drifted, circumstances=later)[0] is Answer.RETRAIN
    patient = RetrainingPolicy(cooldown_hours=0.1)
    assert judge(patient, report=drifted, circumstances=later)[0] is Answer.WAIT


def test_without_any_training_there_is_no_cooldown(drifted: MonitorReport, champion: VersionRecord) -> None:
    patient = RetrainingPolicy(cooldown_partitions=9, cooldown_hours=99)
    untrained = circumstances(champion, trainings=())
    assert judge(patient, report=drifted, circumstances=untrained)[0] is Answer.RETRAIN


def test_persistence_counts_windows_in_a_row(drifted: MonitorReport, champion: VersionRecord) -> None:
    patient = RetrainingPolicy(persistence_windows=3)
    june, may = past(drifted, window="2013-06"), past(drifted, window="2013-05")

    def answer(*decisions: PastDecision) -> Answer:
        return judge(patient, report=drifted, circumstances=circumstances(champion, decisions=decisions))[0]

    assert answer(june, may) is Answer.RETRAIN
    assert answer(june) is Answer.WAIT
    # The windows' keys say what is in a row, and not when they were monitored.
    assert answer(may, june) is Answer.RETRAIN


@pytest.mark.parametrize(
    "breaks",
    [
        {"signals": ()},
        {"signals": ("data_drift",)},
        {"model_digest": "of another version"},
    ],
)
def test_a_window_without_the_finding_breaks_the_row(
    drifted: MonitorReport, champion: VersionRecord, breaks: dict[str, Any]
) -> None:
    patient = RetrainingPolicy(persistence_windows=3)
    between = past(drifted, window="2013-06", **breaks)
    may = past(drifted, window="2013-05")
    april = past(drifted, window="2013-04")
    broken = circumstances(champion, decisions=(between, may, april))
    answer, reasons = judge(patient, report=drifted, circumstances=broken)
    assert answer is Answer.WAIT
    assert reasons[-1] == "found in 1 windows in a row; the policy asks for 3"


def test_the_last_word_about_a_window_counts(drifted: MonitorReport, champion: VersionRecord) -> None:
    patient = RetrainingPolicy(persistence_windows=2)
    later = past(drifted, window="2013-06", signals=())
    earlier = past(drifted, window="2013-06", at=NOW - timedelta(days=2))
    seen = circumstances(champion, decisions=(later, earlier))
    assert judge(patient, report=drifted, circumstances=seen)[0] is Answer.WAIT


def test_the_same_or_a_later_window_is_no_persistence(
    drifted: MonitorReport, champion: VersionRecord
) -> None:
    patient = RetrainingPolicy(persistence_windows=2)
    others = (past(drifted, window="2013-07"), past(drifted, window="2013-08"))
    seen = circumstances(champion, decisions=others)
    assert judge(patient, report=drifted, circumstances=seen)[0] is Answer.WAIT


def test_one_request_is_open_at_a_time(drifted: MonitorReport, champion: VersionRecord) -> None:
    request = past(drifted, answer=Answer.RETRAIN)
    open_ = circumstances(champion, decisions=(request,))
    answer, reasons = judge(POLICY, report=drifted, circumstances=open_)
    assert answer is Answer.WAIT
    assert "the request of 2013-08-01 11:00 UTC after window 2013-06 is open" in reasons[-1]


def test_a_training_answers_the_request(drifted: MonitorReport, champion: VersionRecord) -> None:
    request = past(drifted, answer=Answer.RETRAIN)
    answered = training(at=NOW - timedelta(minutes=30))
    seen = circumstances(champion, decisions=(request,), trainings=(answered,))
    assert judge(POLICY, report=drifted, circumstances=seen)[0] is Answer.RETRAIN


def test_a_request_that_no_training_answers_expires(drifted: MonitorReport, champion: VersionRecord) -> None:
    for hours, answer in ((24, Answer.RETRAIN), (23.9, Answer.WAIT)):
        request = past(drifted, at=NOW - timedelta(hours=hours), answer=Answer.RETRAIN)
        seen = circumstances(champion, decisions=(request,))
        assert judge(POLICY, report=drifted, circumstances=seen)[0] is answer


def test_all_obstacles_are_named(drifted: MonitorReport, champion: VersionRecord) -> None:
    patient = RetrainingPolicy(persistence_windows=5, cooldown_partitions=2, cooldown_hours=1000)
    request = past(drifted, answer=Answer.RETRAIN)
    seen = circumstances(champion, decisions=(request,))
    _, reasons = judge(patient, report=drifted, circumstances=seen)
    assert len(reasons) == 1 + 4


def test_performance_alone_asks_for_retraining(
    report_of: ReportOf, examples: Any, champion: VersionRecord
) -> None:
    rows = examples.rows()
    guessed = rows.set_column(3, "positive", pa.array([number % 2 == 0 for number in range(400)]))
    report = report_of(guessed)
    assert report.signals == {"performance"}
    answer, (reason,) = judge(POLICY, report=report, circumstances=circumstances(champion))
    assert answer is Answer.RETRAIN
    assert reason.startswith("performance: roc_auc is 0.")
