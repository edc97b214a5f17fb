"""A retired version is out of use for good, and no version in use is retired."""

import re

import pytest

from ledger_decisions import (
    adopt,
    approval_request,
    deploy,
    promote,
    reject,
    retire,
    roll_back,
    signed,
)
from mlops_core.errors import (
    DeclarationError,
    GateRefusedError,
    RetirementRefusedError,
    RollbackRefusedError,
)
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import Retirement
from mlops_core.registry.standing import roll_back_target
from registry_examples import MODEL, Clock, recorded


def test_a_retirement_says_who_why_and_where_the_files_are(ledger: Ledger, clock: Clock) -> None:
    recorded(ledger, 1, 2)

    retirement = retire(ledger, 1)

    assert retirement == Retirement(
        model=MODEL,
        version=1,
        archive="archive/v1.tar.gz",
        archive_digest="archive-digest",
        actor="grace",
        reason="superseded",
        operation_key="retire/1",
        at=clock.now,
    )
    assert ledger.retirements(MODEL) == (retirement,)
    assert ledger.retirements("fares") == ()
    assert [record.version for record in ledger.versions(MODEL)] == [1, 2]


def test_what_is_in_production_is_not_retired(ledger: Ledger) -> None:
    recorded(ledger, 1)
    promote(ledger, 1, expected=0)

    with pytest.raises(RetirementRefusedError, match=r"cannot retire version 1 .* it is in production"):
        retire(ledger, 1)

    assert ledger.retirements(MODEL) == ()


def test_the_challenger_is_not_retired(ledger: Ledger) -> None:
    recorded(ledger, 1)

    with pytest.raises(RetirementRefusedError, match="it is the challenger"):
        retire(ledger, 1)


def test_what_a_roll_back_returns_to_is_not_retired_and_what_lies_deeper_is(ledger: Ledger) -> None:
    recorded(ledger, 1, 2, 3, 4)
    for version in (1, 2, 3):
        promote(ledger, version, expected=version - 1)

    with pytest.raises(RetirementRefusedError, match="a roll back would return to it"):
        retire(ledger, 2)
    assert retire(ledger, 1).version == 1


def test_a_roll_back_passes_retired_versions_by(ledger: Ledger) -> None:
    recorded(ledger, 1, 2, 3, 4)
    for version in (1, 2, 3, 4):
        promote(ledger, version, expected=version - 1)
    retire(ledger, 2)
    assert roll_back_target(ledger, MODEL) == 3

    assert [roll_back(ledger, key).version for key in ("first", "second")] == [3, 1]
    with pytest.raises(RollbackRefusedError, match="there is no version before version 1"):
        roll_back(ledger, "third")
    assert roll_back_target(ledger, MODEL) is None


def test_what_was_rolled_back_is_retired_unless_it_is_still_deployed(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    promote(ledger, 1, expected=0)
    promote(ledger, 2, expected=1)
    deploy(ledger, 2, expected=2)
    roll_back(ledger)

    with pytest.raises(RetirementRefusedError, match="the model server serves it; deploy the version in"):
        retire(ledger, 2)

    deploy(ledger, 1, expected=3)
    assert retire(ledger, 2).version == 2


def test_what_people_are_asked_about_is_retired_once_they_have_answered_or_the_question_expires(
    ledger: Ledger, clock: Clock
) -> None:
    recorded(ledger, 1, 2, 3)
    ledger.request_approval(approval_request(clock, 1, key="ask/1"))
    ledger.request_approval(approval_request(clock, 2, key="ask/2"))

    for version in (1, 2):
        with pytest.raises(
            RetirementRefusedError, match="its approval is asked for by flight_delay__train manual__1"
        ):
            retire(ledger, version)

    reject(ledger, 1)
    assert retire(ledger, 1).version == 1
    clock.forward(hours=1)
    assert retire(ledger, 2).version == 2


def test_all_that_a_retirement_would_be_refused_for_is_told_at_once(ledger: Ledger, clock: Clock) -> None:
    recorded(ledger, 1)
    ledger.request_approval(approval_request(clock, 1))

    told = ledger.retirement_obstacles(MODEL, 1)

    assert told == (
        "it is the challenger; promote it, or register another version",
        "its approval is asked for by flight_delay__train manual__1; answer that first. If the task approve "
        "of that run has ended, clear it to be asked again, or wait until 2013-07-01T01:00:00+00:00",
    )
    with pytest.raises(RetirementRefusedError, match=told[0]):
        retire(ledger, 1)
    recorded(ledger, 2)
    with pytest.raises(RetirementRefusedError, match=re.escape(told[1])):
        retire(ledger, 1)
    assert ledger.retirement_obstacles(MODEL, 1) == told[1:]


def test_a_retired_version_is_never_used_again(ledger: Ledger) -> None:
    signed(ledger, 1)
    recorded(ledger, 2)
    retire(ledger, 1)

    with pytest.raises(
        GateRefusedError, match=r"cannot promote version 1 .* 'grace' retired it at .*: superseded"
    ):
        promote(ledger, 1, expected=0)
    with pytest.raises(GateRefusedError, match="cannot adopt version 1"):
        adopt(ledger, 1, expected=0)

    assert ledger.state(MODEL).generation == 0


def test_a_version_retires_once(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    first = retire(ledger, 1, key="click")

    assert retire(ledger, 1, key="click") == first
    with pytest.raises(RetirementRefusedError, match="'grace' retired it at"):
        retire(ledger, 1, key="another")
    with pytest.raises(DeclarationError, match=r"retired version 1 .* cannot retire version 2"):
        retire(ledger, 2, key="click")
    assert ledger.retirements(MODEL) == (first,)
    assert ledger.retirement_of("click") == first
    assert ledger.retirement_of("another") is None


def test_nobody_retires_without_a_reason_or_what_is_not_there(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)

    with pytest.raises(DeclarationError, match="the reason is empty"):
        retire(ledger, 1, reason=" ")
    with pytest.raises(DeclarationError, match="no version 3"):
        retire(ledger, 3)
