"""The audit trail: one event for each decision, chained by hashes."""

import hashlib

import pytest

from ledger_decisions import adopt, approve, deploy, promote, reject, retire, roll_back, signed
from mlops_core.errors import DeclarationError, MlopsError, PromotionConflictError, UntrustedModelError
from mlops_core.registry.ledger import Ledger
from registry_examples import MODEL, Clock, recorded, version_record


def live(ledger: Ledger, clock: Clock) -> None:
    """Have everything happen once, an hour after the other."""
    recorded(ledger, 1)
    steps = (
        lambda: approve(ledger),
        lambda: promote(ledger, 1, expected=0, approval="approve"),
        lambda: deploy(ledger, 1, expected=1),
        lambda: signed(ledger, 2),
        lambda: adopt(ledger, 2, expected=1),
        lambda: reject(ledger, 2, expected=1),
        lambda: roll_back(ledger),
        lambda: recorded(ledger, 3),
        lambda: retire(ledger, 2),
    )
    for step in steps:
        clock.forward(hours=1)
        step()


KINDS = [
    ("register", 1, 0),
    ("approve", 1, 0),
    ("promote", 1, 1),
    ("deploy", 1, 1),
    ("register", 2, 1),
    ("adopt", 2, 2),
    ("reject", 2, 2),
    ("roll_back", 1, 3),
    ("register", 3, 3),
    ("retire", 2, 3),
]


def test_each_decision_leaves_one_event_with_the_generation_after_it(ledger: Ledger, clock: Clock) -> None:
    live(ledger, clock)

    trail = ledger.events(MODEL)

    assert [(event.kind, event.version, event.generation) for event in trail] == KINDS
    assert [event.sequence for event in trail] == list(range(1, len(KINDS) + 1))
    assert [event.at for event in trail] == sorted({event.at for event in trail})
    assert trail[0].reason == "models:/m-1 of run run-1"
    assert trail[3].reason == "revision 1 with 1 of the traffic"
    assert trail[6].reason == "looked at the slices; judged against generation 1"
    assert trail[-1].reason == "superseded; archived at archive/v1.tar.gz, digest archive-digest"


def test_each_hash_covers_the_one_before_it_and_the_first_one_covers_the_model(
    ledger: Ledger, clock: Clock
) -> None:
    live(ledger, clock)

    trail = ledger.events(MODEL)

    genesis = hashlib.sha256(f"airflow-mlops ledger v1\n{MODEL}".encode()).hexdigest()
    assert [event.former_hash for event in trail] == [genesis, *(event.hash for event in trail[:-1])]
    assert len({event.hash for event in trail}) == len(trail)


def test_the_hash_is_of_the_canonical_json_of_the_content(ledger: Ledger, clock: Clock) -> None:
    recorded(ledger, 1)

    (event,) = ledger.events(MODEL)

    assert clock.now.isoformat() == "2013-07-01T00:00:00+00:00"
    content = (
        '{"actor":"train","at":"2013-07-01T00:00:00.000000+00:00","digest":"digest-1",'
        f'"evidence_digest":"evidence-1","former_hash":"{event.former_hash}","generation":0,"kind":"register",'
        '"model":"flight_delay","operation_key":"register/flight_delay/1",'
        '"reason":"models:/m-1 of run run-1","sequence":1,"version":1}'
    )
    assert event.hash == hashlib.sha256(content.encode()).hexdigest()


def test_what_is_adopted_or_refused_leaves_no_event(ledger: Ledger, clock: Clock) -> None:
    live(ledger, clock)
    before = ledger.events()

    recorded(ledger, 1)
    approve(ledger)
    promote(ledger, 1, expected=0, approval="approve")
    deploy(ledger, 1, expected=1)
    retire(ledger, 2)
    for refused in (lambda: promote(ledger, 3, expected=0), lambda: retire(ledger, 1, key="other")):
        with pytest.raises(MlopsError):
            refused()

    assert ledger.events() == before


def test_each_model_has_a_chain_of_its_own(ledger: Ledger) -> None:
    recorded(ledger, 1)
    recorded(ledger, 1, model="fares")
    recorded(ledger, 2)

    assert [(event.model, event.sequence) for event in ledger.events()] == [
        (MODEL, 1),
        ("fares", 1),
        (MODEL, 2),
    ]
    assert [event.sequence for event in ledger.events(MODEL)] == [1, 2]
    assert ledger.events("unheard_of") == ()


def test_a_version_keeps_its_signature(ledger: Ledger) -> None:
    record = signed(ledger, 1)

    assert record.signature is not None
    assert ledger.versions(MODEL) == (record,)
    assert signed(ledger, 1) == record


def test_another_number_of_the_same_files_keeps_the_first_number_and_its_signature(ledger: Ledger) -> None:
    record = signed(ledger, 1)
    twin = version_record(
        2, digest="digest-1", uri="models:/m-1", run_id="run-1", evidence_digest="evidence-1"
    )

    assert ledger.record_version(twin, operation_key=f"register/{MODEL}/1", actor="retry") == record


def test_an_adopted_change_is_a_transition_that_can_be_rolled_back(ledger: Ledger) -> None:
    recorded(ledger, 1)
    promote(ledger, 1, expected=0)
    second = signed(ledger, 2, evidence_digest=None)

    transition = adopt(ledger, 2, expected=1)

    assert (transition.kind, transition.version, transition.previous_version) == ("adopt", 2, 1)
    assert (transition.evidence_digest, transition.reason, transition.actor) == ("none", "urgent", "grace")
    assert ledger.state(MODEL).champion == second
    assert ledger.state(MODEL).challenger is None
    assert adopt(ledger, 2, expected=1) == transition
    assert roll_back(ledger).version == 1


def test_only_a_signed_and_known_version_is_adopted_against_the_present_generation_with_a_reason(
    ledger: Ledger,
) -> None:
    recorded(ledger, 1)
    signed(ledger, 2)

    with pytest.raises(UntrustedModelError, match="it is not signed"):
        adopt(ledger, 1, expected=0)
    with pytest.raises(DeclarationError, match="no version 3"):
        adopt(ledger, 3, expected=0)
    with pytest.raises(DeclarationError, match="the reason is empty"):
        adopt(ledger, 2, expected=0, reason="")
    with pytest.raises(PromotionConflictError, match="expected generation 1"):
        adopt(ledger, 2, expected=1)
    adopt(ledger, 2, expected=0)
    with pytest.raises(PromotionConflictError, match=r"version 2 .* in production already: 'grace' adopted"):
        adopt(ledger, 2, expected=1, key="again")
