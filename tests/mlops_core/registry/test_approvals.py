"""An approval is of one promotion: this version, on this evidence, against this generation."""

from collections.abc import Callable

import pytest

from ledger_decisions import adopt, approval_request, approve, promote, reject, retire, roll_back, signed
from mlops_core.errors import (
    ApprovalMissingError,
    DeclarationError,
    GateRefusedError,
    PromotionConflictError,
)
from mlops_core.registry.ledger import Ledger
from mlops_core.registry.records import Approval
from registry_examples import MODEL, Clock, recorded

Decide = Callable[..., Approval]


def test_an_approval_says_who_why_and_on_what(ledger: Ledger, clock: Clock) -> None:
    recorded(ledger, 1)

    approval = approve(ledger)

    assert approval == Approval(
        model=MODEL,
        version=1,
        generation=0,
        evidence_digest="evidence-1",
        verdict="approve",
        actor="grace",
        reason="looked at the slices",
        operation_key="approve",
        at=clock.now,
    )
    assert ledger.approvals(MODEL) == (approval,)
    assert ledger.approvals("fares") == ()


def test_decisions_are_kept_in_the_order_in_which_they_came(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)

    decisions = (approve(ledger, key="1"), reject(ledger, 2, key="2"), approve(ledger, 2, key="3"))

    assert ledger.approvals(MODEL) == decisions


@pytest.mark.parametrize("decide", [approve, reject])
@pytest.mark.parametrize("reason", ["", "  \n"])
def test_nobody_decides_without_a_reason(ledger: Ledger, decide: Decide, reason: str) -> None:
    recorded(ledger, 1)

    with pytest.raises(DeclarationError, match="the reason is empty; say why"):
        decide(ledger, reason=reason)

    assert ledger.approvals(MODEL) == ()


@pytest.mark.parametrize("decide", [approve, reject])
def test_deciding_again_with_the_same_key_changes_nothing(ledger: Ledger, decide: Decide) -> None:
    recorded(ledger, 1, 2)
    first = decide(ledger, key="click")
    promote(ledger, 2, expected=0)

    assert decide(ledger, key="click") == first
    assert ledger.approvals(MODEL) == (first,)


def test_a_key_that_approved_one_thing_decides_nothing_else(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    approve(ledger, key="click")

    with pytest.raises(DeclarationError, match=r"decided to approve version 1 .* anything else"):
        approve(ledger, 2, key="click")
    with pytest.raises(DeclarationError, match="decided to approve version 1"):
        reject(ledger, key="click")


def test_what_was_judged_against_a_former_generation_cannot_be_approved_but_rejected(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    promote(ledger, 1, expected=0)

    with pytest.raises(PromotionConflictError, match="'ada' promoted version 1"):
        approve(ledger, 2, expected=0)

    assert reject(ledger, 2, expected=0).generation == 0


def test_a_version_is_approved_on_its_own_evidence_alone(ledger: Ledger) -> None:
    recorded(ledger, 1)

    with pytest.raises(GateRefusedError, match="evidence-1, and not with forged"):
        approve(ledger, evidence="forged")


def test_an_unknown_or_retired_version_is_not_approved(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    retire(ledger, 1)

    with pytest.raises(GateRefusedError, match="'grace' retired it"):
        approve(ledger, 1)
    with pytest.raises(DeclarationError, match="no version 3"):
        approve(ledger, 3)


def test_an_approved_promotion_names_the_approver_and_both_reasons(ledger: Ledger) -> None:
    recorded(ledger, 1)
    approve(ledger)

    transition = promote(ledger, 1, expected=0, approval="approve")

    said = "approved by grace: looked at the slices; better on the same rows"
    assert transition.reason == said
    assert ledger.events(MODEL)[-1].reason == said


def test_an_approved_promotion_that_is_tried_again_is_the_first_one(ledger: Ledger) -> None:
    recorded(ledger, 1)
    approve(ledger)
    first = promote(ledger, 1, expected=0, approval="approve")
    reject(ledger)

    assert promote(ledger, 1, expected=0, approval="approve") == first


def test_a_promotion_that_nobody_approved_is_refused(ledger: Ledger) -> None:
    recorded(ledger, 1)

    with pytest.raises(ApprovalMissingError, match="nobody has approved it under 'approve'"):
        promote(ledger, 1, expected=0, approval="approve")

    assert ledger.state(MODEL).generation == 0


def test_a_rejection_is_no_approval(ledger: Ledger) -> None:
    recorded(ledger, 1)
    reject(ledger, reason="unfair")

    with pytest.raises(ApprovalMissingError, match=r"'grace' rejected .*: unfair"):
        promote(ledger, 1, expected=0, approval="reject")


def test_what_somebody_rejected_is_not_promoted_though_no_approval_is_needed(ledger: Ledger) -> None:
    recorded(ledger, 1)
    approve(ledger)
    reject(ledger, actor="alan", reason="unfair")

    with pytest.raises(ApprovalMissingError, match=r"'alan' rejected version 1 .*: unfair"):
        promote(ledger, 1, expected=0)

    approve(ledger, key="again")
    assert promote(ledger, 1, expected=0).version == 1


def test_a_rejection_of_another_subject_stops_no_promotion(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    recorded(ledger, 1, model="fares")
    reject(ledger, 2)
    reject(ledger, 1, evidence="another", key="evidence")
    promote(ledger, 1, expected=0)

    assert promote(ledger, 1, expected=0, model="fares").version == 1
    assert promote(ledger, 2, expected=1).version == 2


def test_an_approval_of_another_version_is_refused(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    approve(ledger, 1)

    with pytest.raises(ApprovalMissingError, match=r"approved version 1 .* on evidence evidence-1"):
        promote(ledger, 2, expected=0, approval="approve")


def test_an_approval_of_another_model_is_refused(ledger: Ledger) -> None:
    recorded(ledger, 1)
    recorded(ledger, 1, model="fares")
    approve(ledger, 1)

    with pytest.raises(ApprovalMissingError, match=f"approved version 1 of '{MODEL}'"):
        promote(ledger, 1, expected=0, approval="approve", model="fares")


def test_an_approval_of_a_former_generation_is_refused_though_the_same_version_stands_again(
    ledger: Ledger,
) -> None:
    recorded(ledger, 1, 2)
    promote(ledger, 1, expected=0)
    approve(ledger, 2, expected=1)
    promote(ledger, 2, expected=1)
    roll_back(ledger)

    with pytest.raises(ApprovalMissingError, match=r"approved version 2 .* against generation 1"):
        promote(ledger, 2, expected=3, approval="approve")


def test_an_approval_that_was_taken_back_is_refused_and_may_be_given_again(ledger: Ledger) -> None:
    recorded(ledger, 1)
    approve(ledger)
    reject(ledger, actor="alan", reason="found a leak")

    with pytest.raises(ApprovalMissingError, match="'alan' rejected it later: found a leak"):
        promote(ledger, 1, expected=0, approval="approve")

    approve(ledger, key="again")
    assert promote(ledger, 1, expected=0, approval="again").version == 1


def test_a_rejection_of_another_subject_takes_nothing_back(ledger: Ledger) -> None:
    recorded(ledger, 1, 2)
    approve(ledger)
    reject(ledger, 2)

    assert promote(ledger, 1, expected=0, approval="approve").version == 1


def test_open_requests_are_those_that_somebody_may_still_answer(ledger: Ledger, clock: Clock) -> None:
    recorded(ledger, 1, 2)
    recorded(ledger, 1, model="fares")
    first, second = (ledger.request_approval(approval_request(clock, n, key=f"ask/{n}")) for n in (1, 2))
    fares = ledger.request_approval(approval_request(clock, key="ask/fares", model="fares"))
    assert ledger.approval_requests() == (first, second, fares)
    assert ledger.approval_requests(MODEL) == (first, second)

    reject(ledger, 1)
    assert ledger.approval_requests(MODEL) == (second,)

    promote(ledger, 2, expected=0)
    assert ledger.approval_requests(MODEL) == ()

    clock.now = fares.expires_at
    assert ledger.approval_requests() == ()


@pytest.mark.parametrize("decide", [approve, reject])
def test_a_question_that_is_asked_again_after_an_answer_is_open(
    ledger: Ledger, clock: Clock, decide: Decide
) -> None:
    recorded(ledger, 1)
    ledger.request_approval(approval_request(clock))
    clock.forward(minutes=1)
    decide(ledger)
    clock.forward(minutes=1)

    again = ledger.request_approval(approval_request(clock, key="ask/again"))

    assert ledger.approval_requests(MODEL) == (again,)
    decide(ledger, key="at once")
    assert ledger.approval_requests(MODEL) == ()


def test_a_decision_on_other_evidence_leaves_the_request_open(ledger: Ledger, clock: Clock) -> None:
    recorded(ledger, 1)
    request = ledger.request_approval(approval_request(clock))
    reject(ledger, evidence="another")

    assert ledger.approval_requests(MODEL) == (request,)


def test_a_request_is_made_once_a_key(ledger: Ledger, clock: Clock) -> None:
    recorded(ledger, 1, 2)
    first = ledger.request_approval(approval_request(clock))
    clock.forward(minutes=5)

    assert ledger.request_approval(approval_request(clock)) == first
    with pytest.raises(DeclarationError, match=r"asked about version 1 .* cannot ask about version 2"):
        ledger.request_approval(approval_request(clock, 2))
    with pytest.raises(DeclarationError, match="no version 3"):
        ledger.request_approval(approval_request(clock, 3, key="other"))
    assert ledger.approval_requests() == (first,)


@pytest.mark.parametrize("evidence", ["evidence-2", "another"])
def test_a_version_that_was_rejected_last_is_not_adopted_whatever_promotion_it_was_said_of(
    ledger: Ledger, clock: Clock, evidence: str
) -> None:
    recorded(ledger, 1)
    signed(ledger, 2)
    promote(ledger, 1, expected=0)
    approve(ledger, 2, expected=1, key="first")
    reject(ledger, 2, expected=0, actor="alan", reason="found a leak", evidence=evidence)

    with pytest.raises(
        ApprovalMissingError,
        match=rf"cannot adopt version 2 .* 'alan' rejected .* at {clock.now.isoformat()[:10]}.*: found a leak"
        r"\. Only an approval of the version that comes after it takes that back",
    ):
        adopt(ledger, 2, expected=1)

    assert ledger.state(MODEL).generation == 1
    approve(ledger, 2, expected=1, key="second")
    assert adopt(ledger, 2, expected=1).version == 2


def test_a_rejection_of_another_version_or_model_stops_no_adoption(ledger: Ledger) -> None:
    signed(ledger, 1)
    recorded(ledger, 2)
    recorded(ledger, 1, model="fares")
    reject(ledger, 2)
    ledger.reject(
        "fares",
        version=1,
        expected_generation=0,
        evidence_digest="evidence-1",
        actor="grace",
        reason="no",
        operation_key="fares",
    )

    assert adopt(ledger, 1, expected=0).version == 1
