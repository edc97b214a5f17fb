"""A version is recorded once a key, and is the challenger until it is promoted."""

import pytest

from mlops_core.errors import DeclarationError
from mlops_core.registry.ledger import Ledger
from registry_examples import MODEL, recorded, version_record


def test_a_ledger_knows_nothing_of_a_model_that_was_never_registered(ledger: Ledger) -> None:
    state = ledger.state("unheard_of")

    assert (state.generation, state.champion, state.challenger) == (0, None, None)
    assert ledger.models() == ()
    assert ledger.versions("unheard_of") == ()


def test_a_recorded_version_becomes_the_challenger_and_not_the_champion(ledger: Ledger) -> None:
    first, second = recorded(ledger, 1, 2)

    state = ledger.state(MODEL)
    assert (state.generation, state.champion, state.challenger) == (0, None, second)
    assert ledger.versions(MODEL) == (first, second)
    assert ledger.models() == (MODEL,)


def test_recording_again_with_the_same_key_returns_the_first_and_leaves_the_challenger(
    ledger: Ledger,
) -> None:
    first, second = recorded(ledger, 1, 2)

    again = ledger.record_version(version_record(1), operation_key=f"register/{MODEL}/1", actor="retry")

    assert again == first
    assert ledger.state(MODEL).challenger == second
    assert ledger.version_of(f"register/{MODEL}/1") == first


def test_another_number_of_the_same_files_under_the_same_key_is_the_first_number(ledger: Ledger) -> None:
    (first,) = recorded(ledger, 1)

    twin = first.model_copy(update={"version": 2})

    assert ledger.record_version(twin, operation_key=f"register/{MODEL}/1", actor="retry") == first
    assert ledger.versions(MODEL) == (first,)


@pytest.mark.parametrize("changed", ["digest", "run_id", "uri", "evidence_digest", "model"])
def test_a_key_that_registered_one_thing_cannot_register_another(ledger: Ledger, changed: str) -> None:
    recorded(ledger, 1)
    other = version_record(1, **{changed: "another"})

    with pytest.raises(DeclarationError, match=r"register/flight_delay/1.*cannot register"):
        ledger.record_version(other, operation_key=f"register/{MODEL}/1", actor="train")


def test_a_number_is_taken_once(ledger: Ledger) -> None:
    recorded(ledger, 1)

    with pytest.raises(DeclarationError, match="in the ledger already"):
        ledger.record_version(version_record(1), operation_key="another", actor="train")


@pytest.mark.parametrize("key", ["", "k" * 251])
def test_an_operation_key_has_to_fit_its_column(ledger: Ledger, key: str) -> None:
    with pytest.raises(DeclarationError, match=f"1 to 250 characters; got {len(key)}"):
        ledger.record_version(version_record(1), operation_key=key, actor="train")


def test_nobody_registers_anonymously(ledger: Ledger) -> None:
    with pytest.raises(DeclarationError, match="actor is empty"):
        ledger.record_version(version_record(1), operation_key="key", actor="")
