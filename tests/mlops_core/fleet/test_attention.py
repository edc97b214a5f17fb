"""What needs a person, and what does not."""

from datetime import UTC, datetime, timedelta
from typing import Any

from fleet_examples import decision, transition
from mlops_core.fleet.attention import CHAMPION_GROWS_OLD, attention_of
from mlops_core.registry.records import (
    ApprovalRequest,
    Deployment,
    EvaluationRecord,
    LedgerState,
    TrainingRecord,
)
from mlops_core.registry.standing import Standing
from registry_examples import version_record

NOW = datetime(2013, 7, 1, tzinfo=UTC)


def standing(**changes: Any) -> Standing:
    """A model in order: version 2 is in production and served."""
    champion = version_record(2)
    fields = {
        "model": champion.model,
        "state": LedgerState(model=champion.model, generation=2, champion=champion, challenger=None),
        "since": transition(champion, at=NOW),
        "deployment": deployment(2),
        **changes,
    }
    return Standing.model_validate(fields)


def deployment(number: int) -> Deployment:
    version = version_record(number)
    return Deployment(
        model=version.model,
        version=version,
        generation=2,
        revision=1,
        operation_key="d",
        actor="train",
        at=NOW,
    )


def said(changed: Standing, *, now: datetime = NOW) -> list[tuple[str, str]]:
    return [(attention.severity, attention.message) for attention in attention_of(changed, now=now)]


def test_a_model_in_order_needs_nobody() -> None:
    assert said(standing()) == []


def test_a_version_that_waits_for_approval_needs_a_decision() -> None:
    request = ApprovalRequest(
        model="flight_delay",
        version=3,
        generation=2,
        evidence_digest="evidence-3",
        risk="high",
        requested_by="grace",
        dag_id="d",
        run_id="r",
        task_id="t",
        operation_key="k",
        at=NOW,
        expires_at=NOW,
    )
    assert said(standing(request=request)) == [
        (
            "act",
            "Version 3 waits for approval until 2013-07-01 00:00 UTC; "
            "if the task t of d has ended, clear it to ask again",
        )
    ]


def test_a_champion_that_is_not_what_is_served_needs_a_decision() -> None:
    assert said(standing(deployment=deployment(1))) == [
        ("act", "Version 1 is served, version 2 is in production")
    ]
    assert said(standing(deployment=None)) == [("act", "Version 2 is in production, not deployed")]


def test_nothing_in_production_is_good_to_know() -> None:
    nothing = LedgerState(model="flight_delay", generation=0, champion=None, challenger=None)
    assert said(standing(state=nothing, since=None, deployment=None)) == [
        ("know", "Nothing is in production yet")
    ]


def test_a_champion_grows_old_after_its_days_and_not_on_the_last_of_them() -> None:
    assert said(standing(), now=NOW + CHAMPION_GROWS_OLD) == []
    late = NOW + CHAMPION_GROWS_OLD + timedelta(days=1)
    assert said(standing(), now=late) == [("know", "Version 2 is 181 days in production")]


def test_a_refused_candidate_is_worth_a_look_and_a_passed_one_is_not() -> None:
    evaluation = EvaluationRecord(
        model="flight_delay",
        run_id="run",
        evidence_digest="e",
        rows_digest="r",
        candidate="trees",
        passed=False,
        page="",
        dag_id="d",
        operation_key="k",
        at=NOW,
    )
    assert said(standing(evaluation=evaluation)) == [("look", "The gates refused candidate trees")]
    assert said(standing(evaluation=evaluation.model_copy(update={"passed": True}))) == []


def test_drift_is_worth_a_look() -> None:
    drifted = decision("wait", signals=("data_drift",), at=NOW)
    assert said(standing(decision=drifted)) == [("look", "Data drift in 2013-07")]
    assert said(standing(decision=decision("wait", at=NOW))) == []


def test_a_retraining_that_was_asked_for_and_did_not_start_needs_a_decision() -> None:
    asked = decision("retrain", signals=("performance",), at=NOW)
    training = TrainingRecord(
        model="flight_delay",
        snapshot_digest="s",
        partitions=("2013-06",),
        operation_key="t",
        requested_by="dag",
        at=NOW - timedelta(minutes=1),
    )
    late = [("act", "Retraining was asked for after 2013-07, and none has started")]
    assert said(standing(decision=asked)) == late
    assert said(standing(decision=asked, training=training)) == late
    started = training.model_copy(update={"at": NOW + timedelta(minutes=1)})
    assert said(standing(decision=asked, training=started)) == [("look", "Loss of performance in 2013-07")]


def test_a_decision_of_another_shape_is_said_to_be_unreadable() -> None:
    odd = decision("wait", at=NOW).model_copy(update={"decision": {"answer": 7}})
    assert said(standing(decision=odd)) == [("look", "The decision on 2013-07 cannot be read")]


def test_the_most_urgent_comes_first() -> None:
    drifted = decision("wait", signals=("data_drift",), at=NOW)
    late = NOW + CHAMPION_GROWS_OLD + timedelta(days=1)
    severities = [severity for severity, _ in said(standing(deployment=None, decision=drifted), now=late)]
    assert severities == ["act", "look", "know"]
