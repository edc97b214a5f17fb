"""Promotions are a stack, moved by one compare-and-set at a time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from mlops_core.errors import (
    DeclarationError,
    GateRefusedError,
    PromotionConflictError,
    RollbackRefusedError,
)
from mlops_core.registry.ledger import Ledger, Transition
from registry_examples import MODEL, Clock, recorded, version_record


def promote(ledger: Ledger, version: int, *, expected: int, key: str = "", **changes: str) -> Transition:
    return ledger.promote(
        MODEL,
        version=version,
        expected_generation=expected,
        operation_key=key or f"promote/{version}/{expected}",
        evidence_digest=changes.get("evidence_digest", f"evidence-{version}"),
        actor=changes.get("actor", "ada"),
        reason="better on the same rows",
    )


def roll_back(ledger: Ledger, key: str, *, expected: int | None = None) -> Transition:
    return ledger.roll_back(
        MODEL, operation_key=key, actor="grace", reason="complaints", expected_generation=expected
    )


def test_a_promotion_begins_a_generation_and_says_who_why_and_on_what(ledger: Ledger, clock: Clock) -> None:
    first, second = recorded(ledger, 1, 2)
    promote(ledger, 1, expected=0)

    transition = promote(ledger, 2, expected=1, key="run-7/promote")

    assert transition == Transition(
        id=2,
        model=MODEL,
        generation=2,
        kind="promote",
        version=2,
        previous_version=1,
        digest="digest-2",
        evidence_digest="evidence-2",
        actor="ada",
        reason="better on the same rows",
        operation_key="run-7/promote",
        at=clock.now,
    )
    assert ledger.history(MODEL)[-1] == transition
    assert ledger.state(MODEL).champion == second
    assert ledger.history(MODEL)[0].previous_version is None
    assert ledger.history(MODEL)[0].digest == first.digest


def test_a_promoted_version_is_no_challenger_any_more_but_a_later_one_stays(ledger: Ledger) -> None:
    recorded(ledger, 1)
    promote(ledger, 1, expected=0)
    assert ledger.state(MODEL).challenger is None

    _, third = recorded(ledger, 2, 3)
    promote(ledger, 2, expected=1)

    assert ledger.state(MODEL).challenger == third


def test_a_stale_promotion_is_told_who_won_when_and_with_what(ledger: Ledger, clock: Clock) -> None:
    recorded(ledger, 1, 2)
    promote(ledger, 1, expected=0, actor="ada")

    with pytest.raises(PromotionConflictError) as refused:
        promote(ledger, 2, expected=0, key="late")

    message = str(refused.value)
    assert "cannot promote version 2 of 'flight_delay': expected generation 0" in message
    assert "at generation 1: 'ada' promoted version 1" in message
    assert clock.now.isoformat() in message
    assert [transition.version for transition in ledger.history(MODEL)] == [1]


def test_a_generation_from_the_future_is_refused_too(ledger: Ledger) -> None:
    recorded(ledger, 1)

    with pytest.raises(PromotionConflictError, match="generation 0: no version was ever in production"):
        promote(ledger, 1, expected=1)


def test_promoting_again_with_the_same_key_returns_the_first_transition_whatever_came_since(
    ledger: Ledger,
) -> None:
    recorded(ledger, 1, 2)
    first = promote(ledger, 1, expected=0, key="run-1/promote")
    promote(ledger, 2, expected=1)

    assert promote(ledger, 1, expected=0, key="run-1/promote") == first
    assert ledger.state(MODEL).generation == 2


def test_a_key_that_promoted_one_version_cannot_promote_another(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    promote(ledger, 1, expected=0, key="run-1/promote")

    with pytest.raises(DeclarationError, match=r"promoted version 1 .* cannot promote version 2"):
        promote(ledger, 2, expected=1, key="run-1/promote")
    with pytest.raises(DeclarationError, match="cannot roll_back"):
        roll_back(ledger, "run-1/promote")


def test_promoting_what_is_in_production_is_refused_and_pushes_nothing_on_the_stack(ledger: Ledger) -> None:
    recorded(ledger, 1)
    promote(ledger, 1, expected=0)

    with pytest.raises(PromotionConflictError, match="version 1 of 'flight_delay' is in production already"):
        promote(ledger, 1, expected=1)

    assert ledger.state(MODEL).generation == 1


def test_a_promotion_needs_the_evidence_that_was_registered(ledger: Ledger) -> None:
    recorded(ledger, 1)

    with pytest.raises(GateRefusedError, match="evidence-1, and not with forged"):
        promote(ledger, 1, expected=0, evidence_digest="forged")

    assert ledger.state(MODEL).champion is None


def test_a_version_without_evidence_is_never_promoted(ledger: Ledger) -> None:
    ledger.record_version(version_record(1, evidence_digest=None), operation_key="key", actor="train")

    with pytest.raises(GateRefusedError, match="no evaluation report that passed"):
        promote(ledger, 1, expected=0, evidence_digest="")


def test_an_unknown_version_is_refused_with_those_that_are_known(ledger: Ledger) -> None:
    recorded(ledger, 1, 3)

    with pytest.raises(DeclarationError, match="no version 2 in the ledger; versions it has: 1, 3"):
        promote(ledger, 2, expected=0)


def test_a_roll_back_returns_to_the_version_before_and_a_second_one_has_nowhere_to_go(ledger: Ledger) -> None:
    first, _ = recorded(ledger, 1, 2)
    promote(ledger, 1, expected=0)
    promote(ledger, 2, expected=1)

    transition = roll_back(ledger, "roll-back-1")

    assert (transition.kind, transition.version, transition.previous_version) == ("roll_back", 1, 2)
    assert (transition.digest, transition.evidence_digest) == ("digest-1", "evidence-1")
    assert ledger.state(MODEL).champion == first
    with pytest.raises(RollbackRefusedError, match="no version before version 1 to return to"):
        roll_back(ledger, "roll-back-2")
    assert ledger.state(MODEL).generation == 3


def test_roll_back_is_refused_before_the_first_promotion(ledger: Ledger) -> None:
    with pytest.raises(RollbackRefusedError, match="no version of it was ever in production"):
        roll_back(ledger, "roll-back-0")
    recorded(ledger, 1)
    with pytest.raises(RollbackRefusedError, match="no version of it was ever in production"):
        roll_back(ledger, "roll-back-0")


def test_rolling_back_again_with_the_same_key_goes_back_once(ledger: Ledger) -> None:
    recorded(ledger, 1, 2, 3)
    for version in (1, 2, 3):
        promote(ledger, version, expected=version - 1)

    assert roll_back(ledger, "click") == roll_back(ledger, "click")
    assert [transition.version for transition in ledger.history(MODEL)] == [1, 2, 3, 2]


def test_a_roll_back_decided_on_another_generation_is_refused(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    promote(ledger, 1, expected=0)
    promote(ledger, 2, expected=1)

    with pytest.raises(PromotionConflictError, match=r"cannot roll back .* expected generation 1"):
        roll_back(ledger, "late", expected=1)

    assert roll_back(ledger, "in time", expected=2).version == 1


def test_a_rolled_back_version_may_be_promoted_again(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    promote(ledger, 1, expected=0)
    promote(ledger, 2, expected=1)
    roll_back(ledger, "roll-back")

    promote(ledger, 2, expected=3)

    assert roll_back(ledger, "another").version == 1


def test_the_ledger_says_what_was_in_production_at_any_past_instant(ledger: Ledger, clock: Clock) -> None:
    first, second = recorded(ledger, 1, 2)
    registered = clock.now
    instants = [clock.forward(days=1)]
    promote(ledger, 1, expected=0)
    instants.append(clock.forward(days=1))
    promote(ledger, 2, expected=1)
    instants.append(clock.forward(days=1))
    roll_back(ledger, "roll-back")
    moment = timedelta(microseconds=1)

    def at(instant: datetime) -> int | None:
        version = ledger.in_production(MODEL, at=instant)
        return None if version is None else version.version

    assert at(registered) is None
    assert [at(instant - moment) for instant in instants] == [None, 1, 2]
    assert [at(instant) for instant in instants] == [1, 2, 1]
    assert at(instants[-1] + timedelta(days=1000)) == 1
    assert at(instants[1].astimezone(timezone(timedelta(hours=9)))) == 2
    assert ledger.in_production(MODEL) == first
    assert ledger.in_production(MODEL, at=instants[1]) == second
    assert ledger.in_production("unheard_of", at=datetime(2030, 1, 1, tzinfo=UTC)) is None


def test_an_instant_without_a_time_zone_is_refused(ledger: Ledger) -> None:
    with pytest.raises(DeclarationError, match="names no time zone"):
        ledger.in_production(MODEL, at=datetime(2013, 7, 1))


def test_a_clock_that_runs_behind_does_not_reorder_history(ledger: Ledger, clock: Clock) -> None:
    recorded(ledger, 1, 2)
    promoted_at = promote(ledger, 1, expected=0).at
    clock.forward(hours=-1)

    transition = promote(ledger, 2, expected=1)

    assert transition.at == promoted_at
    in_production = ledger.in_production(MODEL, at=promoted_at)
    assert in_production is not None
    assert in_production.version == 2


def test_models_move_independently(ledger: Ledger) -> None:
    recorded(ledger, 1)
    recorded(ledger, 1, model="fares")
    promote(ledger, 1, expected=0)

    assert ledger.state("fares").generation == 0
    assert ledger.models() == ("fares", MODEL)


def test_an_operation_key_tells_the_transition_that_it_made(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    promote(ledger, 1, expected=0)
    promoted = promote(ledger, 2, expected=1, key="run-7/promote")
    returned = roll_back(ledger, "back")

    assert ledger.transition_of("run-7/promote") == promoted
    assert ledger.transition_of("back") == returned
    assert ledger.transition_of("register/flight_delay/1") is None
