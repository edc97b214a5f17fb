"""What the retraining policy remembers."""

import pytest

from mlops_core.errors import DeclarationError
from mlops_core.registry.ledger import DecisionRecord, Ledger, TrainingRecord
from registry_examples import MODEL, Clock


def record_training(ledger: Ledger, key: str, *, digest: str = "snapshot") -> TrainingRecord:
    return ledger.record_training(
        MODEL,
        snapshot_digest=digest,
        partitions=("2013-01", "2013-02"),
        operation_key=key,
        requested_by="schedule",
    )


def test_a_model_that_was_never_trained_has_no_last_training(ledger: Ledger) -> None:
    assert ledger.last_training(MODEL) is None
    assert ledger.decisions(MODEL, limit=10) == ()


def test_the_last_training_says_on_what_for_whom_and_when(ledger: Ledger, clock: Clock) -> None:
    record_training(ledger, "run-1")
    clock.forward(hours=1)
    record_training(ledger, "run-2", digest="newer")
    ledger.record_training(
        "fares", snapshot_digest="other", partitions=(), operation_key="run-3", requested_by="ada"
    )

    assert ledger.last_training(MODEL) == TrainingRecord(
        model=MODEL,
        snapshot_digest="newer",
        partitions=("2013-01", "2013-02"),
        operation_key="run-2",
        requested_by="schedule",
        at=clock.now,
    )
    assert [record.snapshot_digest for record in ledger.trainings(MODEL)] == ["newer", "snapshot"]


def test_a_training_that_is_recorded_again_is_the_first(ledger: Ledger, clock: Clock) -> None:
    first = record_training(ledger, "run-1")
    record_training(ledger, "run-2")
    clock.forward(hours=1)

    assert record_training(ledger, "run-1") == first
    assert len(ledger.trainings(MODEL)) == 2


def test_decisions_come_newest_first_and_as_many_as_asked(ledger: Ledger, clock: Clock) -> None:
    for month in ("2013-07", "2013-08", "2013-09"):
        ledger.record_decision(
            MODEL, operation_key=month, window=month, decision={"answer": "wait", "scores": [0.5, None]}
        )

    latest, before = ledger.decisions(MODEL, limit=2)

    assert latest == DecisionRecord(
        model=MODEL,
        window="2013-09",
        decision={"answer": "wait", "scores": [0.5, None]},
        operation_key="2013-09",
        at=clock.now,
    )
    assert before.window == "2013-08"


def test_a_decision_that_is_recorded_again_stays_as_it_was_first(ledger: Ledger) -> None:
    first = ledger.record_decision(MODEL, operation_key="k", window="2013-07", decision={"answer": "retrain"})

    again = ledger.record_decision(MODEL, operation_key="k", window="2013-07", decision={"answer": "wait"})

    assert again == first
    assert ledger.decisions(MODEL) == (first,)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), object()])
def test_a_decision_that_is_not_json_is_refused(ledger: Ledger, bad: object) -> None:
    with pytest.raises(DeclarationError, match="not a DecisionRecord"):
        ledger.record_decision(MODEL, operation_key="k", window="2013-07", decision={"score": [bad]})  # type: ignore[list-item]
