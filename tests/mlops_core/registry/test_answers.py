"""An answer counts if the person may give it and it names the evidence that the version stands on."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from evaluation_examples import RECORD
from mlops_core.errors import ApprovalMissingError, PromotionConflictError
from mlops_core.registry.answers import PersonsAnswer, record_answer, record_silence, require_yes
from mlops_core.registry.ledger import Ledger, VersionRecord
from mlops_core.registry.records import Approval
from registry_examples import MODEL, passed_report, recorded, version_record

REPORT = passed_report(RECORD)
SAID: dict[str, Any] = {
    "user_id": "7",
    "user_name": "ada",
    "approves": True,
    "reason": " better on every slice ",
    "evidence": REPORT.digest(),
}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


@pytest.fixture
def record(ledger: Ledger) -> VersionRecord:
    waiting = version_record(2, evidence_digest=REPORT.digest())
    recorded(ledger, 1)
    return ledger.record_version(waiting, operation_key="register", actor="train")


def answer(
    ledger: Ledger, record: VersionRecord, *, rules: dict[str, Any] | None = None, **said: Any
) -> Approval:
    rules = {"approvers": (), "requester": None, **(rules or {})}
    given = PersonsAnswer(**{**SAID, **said})
    return record_answer(given, record, report=REPORT, ledger=ledger, operation_key="answer", **rules)


def test_a_yes_to_the_evidence_that_was_shown_is_an_approval_of_this_version(
    ledger: Ledger, record: VersionRecord
) -> None:
    made = answer(ledger, record)

    assert require_yes(made) == made == ledger.approvals(MODEL)[0]
    assert (made.version, made.generation, made.evidence_digest) == (2, 0, REPORT.digest())
    assert (made.actor, made.reason) == ("ada", "better on every slice")


@pytest.mark.parametrize("name", ["7", "ada"])
def test_approvers_are_known_by_id_or_by_name(ledger: Ledger, record: VersionRecord, name: str) -> None:
    assert answer(ledger, record, rules={"approvers": ("bob", name)}).actor == "ada"


@pytest.mark.parametrize(
    ("rules", "said", "refusal"),
    [
        ({"approvers": ("bob", "eve")}, {}, "ada may not answer; approvers: bob, eve"),
        ({"requester": "ada"}, {}, "ada caused this training and may not approve it too"),
        ({"requester": "7"}, {}, "ada caused this training and may not approve it too"),
        ({}, {"evidence": "of-yesterday"}, "is void: it names the evidence 'of-yesterday'"),
        ({}, {"evidence": None}, "is void: it names the evidence None"),
    ],
)
def test_an_answer_that_does_not_count_is_not_recorded(
    ledger: Ledger, record: VersionRecord, rules: dict[str, Any], said: dict[str, Any], refusal: str
) -> None:
    with pytest.raises(ApprovalMissingError, match=refusal):
        answer(ledger, record, rules=rules, **said)

    assert ledger.approvals(MODEL) == ()


@pytest.mark.parametrize(
    ("reason", "refusal"),
    [
        ("", "its reason has 0 characters"),
        (" \n ok ", "its reason has 2 characters"),
        ("x" * 501, "its reason has 501 characters"),
    ],
)
def test_a_yes_without_a_reason_that_can_be_read_is_void(
    ledger: Ledger, record: VersionRecord, reason: str, refusal: str
) -> None:
    words = f"the approval of ada is void: {refusal}, and needs 3 to 500; clear this task to ask again"
    with pytest.raises(ApprovalMissingError, match=words):
        answer(ledger, record, reason=reason)

    assert ledger.approvals(MODEL) == ()


@pytest.mark.parametrize("length", [3, 500])
def test_the_bounds_of_a_reason_are_allowed(ledger: Ledger, record: VersionRecord, length: int) -> None:
    assert answer(ledger, record, reason=f" {'x' * length}\n").reason == "x" * length


def test_a_no_counts_however_long_its_reason_is(ledger: Ledger, record: VersionRecord) -> None:
    made = answer(ledger, record, approves=False, reason="x" * 600)

    assert made.verdict == "reject"
    assert made.reason == "x" * 500 + " (shortened: it had 600 characters)"
    assert answer(ledger, record, approves=False, reason="x" * 600) == made


def test_a_no_counts_whatever_evidence_it_names(ledger: Ledger, record: VersionRecord) -> None:
    made = answer(ledger, record, approves=False, evidence=None, reason="  ")

    assert (made.verdict, made.reason) == ("reject", "no reason given")
    with pytest.raises(
        ApprovalMissingError, match=f"version 2 of {MODEL} is rejected by ada: no reason given"
    ):
        require_yes(made)


def test_silence_is_a_no_of_nobody(ledger: Ledger, record: VersionRecord) -> None:
    made = record_silence(
        record, report=REPORT, waited=timedelta(days=7), ledger=ledger, operation_key="answer"
    )

    assert (made.verdict, made.actor, made.reason) == ("reject", "nobody", "no answer within 7 days")


def test_a_yes_that_comes_after_the_champion_moved_is_void(ledger: Ledger, record: VersionRecord) -> None:
    ledger.promote(
        MODEL,
        version=1,
        expected_generation=0,
        evidence_digest="evidence-1",
        operation_key="promote",
        actor="train",
        reason="",
    )

    with pytest.raises(PromotionConflictError, match="generation"):
        answer(ledger, record)

    assert ledger.approvals(MODEL) == ()
