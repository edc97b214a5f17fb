"""A person's answer counts for the version, evidence and generation that were shown, or not at all."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput

from airflow_mlops.operators.approval import ApproveOperator
from evaluation_examples import RECORD
from mlops_core.policies import APPROVE, REJECT
from mlops_core.registry.ledger import Ledger
from registry_examples import MODEL, passed_report, version_record

ADA = {"id": "ada", "name": "ada"}
ANSWERED_AT = datetime(2013, 7, 2, tzinfo=UTC)


class Desk:
    """One version that waits for an answer: a real ledger, and an operator whose report is planted."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.report = passed_report(RECORD).model_copy(update={"risk": "medium"})
        self.ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
        self.record = version_record(1, evidence_digest=self.report.digest(), run_id=RECORD.run_id)
        self.ledger.record_version(self.record, operation_key="register", actor="train")
        self.operator = ApproveOperator(
            task_id="approve",
            pipeline="toy_models:BINARY",
            version=self.record.model_dump(mode="json"),
            evaluation={"run_id": RECORD.run_id, "digest": self.report.digest()},
            **settings,
        )
        vars(self.operator)["ledger"] = self.ledger
        self.context: Any = {
            "ti": SimpleNamespace(
                dag_id=f"{MODEL}__train", run_id="one", task_id="approve", map_index=-1, max_tries=2
            ),
            "dag_run": SimpleNamespace(triggering_user_name="bob", dag_id=f"{MODEL}__train"),
        }
        self.context["task_instance"] = SimpleNamespace(id="id")
        self.cards: list[list[str]] = []

    def verdicts(self) -> list[str]:
        return [made.verdict for made in self.ledger.approvals(MODEL)]

    def answer(self, **changes: Any) -> Any:
        event = {
            "chosen_options": ["Approve"],
            "params_input": {"reason": "better on every slice", "evidence": self.report.digest()},
            "responded_at": ANSWERED_AT,
            "responded_by_user": ADA,
            "timedout": False,
            **changes,
        }
        return self.operator.execute_complete(self.context, event)

    def promote(self, approval_key: str | None) -> Any:
        return self.ledger.promote(
            MODEL,
            version=1,
            expected_generation=0,
            operation_key="promote",
            evidence_digest=self.report.digest(),
            actor="train",
            reason="",
            approval_key=approval_key,
        )


@pytest.fixture
def seat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(**settings: Any) -> Desk:
        desk = Desk(tmp_path, **settings)
        monkeypatch.setattr(ApproveOperator, "_subject", lambda _: (desk.record, desk.report), raising=True)
        monkeypatch.setattr(ApproveOperator, "show_run", lambda *_: None)
        monkeypatch.setattr(
            ApproveOperator, "write_card", lambda *_, **__: desk.cards.append(desk.verdicts())
        )
        monkeypatch.setattr(ApproveOperator, "_fit_seconds", lambda *_: 3.0)
        return desk

    return make


def test_the_question_shows_the_evidence_and_waits_without_a_worker_slot(
    seat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, asked = seat(approvers=("ada",)), []
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **question: asked.append(question))

    with pytest.raises(TaskAwaitingInput) as waiting:
        desk.operator.execute(desk.context)

    (question,) = asked
    assert question["subject"] == f"May version 1 of {MODEL} go to production?"
    assert "| `roc_auc` | 0.8000 (0.7000 to 0.9000)" in question["body"]
    assert question["params"]["evidence"]["value"] == desk.report.digest()
    assert question["defaults"] == ["Reject"]
    assert question["assigned_users"] == [ADA]
    assert waiting.value.timeout == desk.operator.response_timeout
    assert desk.cards == [[]], "the card is to say that the version waits"
    (request,) = desk.ledger.approval_requests(MODEL)
    assert (request.version, request.generation, request.requested_by) == (1, 0, "bob")


def test_a_yes_is_recorded_with_the_approvers_name_and_lets_the_version_be_promoted(seat: Any) -> None:
    desk = seat()

    approval = desk.answer()

    assert (approval["verdict"], approval["actor"]) == ("approve", "ada")
    assert desk.cards == [["approve"]], "the card is to say who approved"
    assert desk.promote(approval["operation_key"]).version == 1
    assert "approved by ada: better on every slice" in desk.ledger.history(MODEL)[0].reason


def test_a_retry_of_a_task_that_died_after_the_answer_does_not_ask_again(
    seat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = seat()
    given = desk.answer()
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **_: pytest.fail("it asks again"))

    assert desk.operator.execute(desk.context) == given


def test_a_cleared_task_asks_again(seat: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = seat()
    desk.answer()
    desk.context["ti"].max_tries = 3
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **_: None)

    with pytest.raises(TaskAwaitingInput):
        desk.operator.execute(desk.context)


def test_the_same_answer_handled_twice_is_one_approval(seat: Any) -> None:
    desk = seat()

    assert desk.answer() == desk.answer()
    assert len(desk.ledger.approvals(MODEL)) == 1


VOID: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a no": ({}, {"chosen_options": ["Reject"]}, "is rejected by ada: better on every slice"),
    "no answer in time": (
        {},
        {"timedout": True, "responded_by_user": None, "chosen_options": ["Reject"]},
        "is rejected by nobody: no answer within 3 days$",
    ),
    "a stale default that says yes": (
        {},
        {"timedout": True, "responded_by_user": None, "chosen_options": ["Approve"]},
        "is rejected by nobody",
    ),
    "a yes to other evidence": (
        {},
        {"params_input": {"reason": "fine", "evidence": "another"}},
        "is void: it names the evidence 'another'",
    ),
    "a yes that names no evidence": ({}, {"params_input": {"reason": "fine"}}, "is void"),
    "a yes without a reason": (
        {},
        {"params_input": {"evidence": passed_report(RECORD).model_copy(update={"risk": "medium"}).digest()}},
        "is void: its reason has 0 characters, and needs 3 to 500",
    ),
    "a yes of somebody else": (
        {"approvers": ("eve",)},
        {},
        "ada may not answer; approvers: eve. Clear this task to ask again",
    ),
    "a yes of who asked for it": (
        {"not_the_requester": True},
        {"responded_by_user": {"id": "bob", "name": "bob"}},
        "bob caused this training and may not approve it too",
    ),
}


@pytest.mark.parametrize(("settings", "changes", "words"), VOID.values(), ids=VOID.keys())
def test_anything_but_a_yes_that_holds_fails_the_task_and_approves_nothing(
    seat: Any, settings: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    desk = seat(**settings)

    with pytest.raises(AirflowFailException, match=words):
        desk.answer(**changes)

    assert all(made.verdict == "reject" for made in desk.ledger.approvals(MODEL))


def test_a_yes_after_production_has_moved_is_void(seat: Any) -> None:
    desk = seat()
    desk.ledger.record_version(version_record(2), operation_key="register 2", actor="train")
    desk.ledger.promote(
        MODEL,
        version=2,
        expected_generation=0,
        operation_key="promote 2",
        evidence_digest="evidence-2",
        actor="train",
        reason="",
    )

    with pytest.raises(
        AirflowFailException, match="expected generation 0, but the ledger is at generation 1"
    ):
        desk.answer()


def test_a_cleared_task_that_is_answered_with_no_takes_the_former_yes_back(seat: Any) -> None:
    desk = seat()
    former = desk.answer()
    desk.context["ti"].max_tries = 3

    with pytest.raises(AirflowFailException, match="is rejected by ada"):
        desk.answer(chosen_options=["Reject"])

    with pytest.raises(Exception, match="rejected it later"):
        desk.promote(former["operation_key"])


@pytest.mark.parametrize(
    ("hours", "said"),
    [(72.0, "3 days"), (24.0, "1 day"), (36.0, "36 hours"), (1.0, "1 hour"), (0.5, "30 minutes")],
)
def test_how_long_nobody_answered_is_said_plainly(seat: Any, hours: float, said: str) -> None:
    desk = seat(timeout_hours=hours)

    with pytest.raises(AirflowFailException, match=f"no answer within {said}$"):
        desk.answer(timedout=True, responded_by_user=None, chosen_options=["Reject"])

    assert [made.reason for made in desk.ledger.approvals(MODEL)] == [f"no answer within {said}"]


def test_the_form_says_what_a_reason_needs(seat: Any) -> None:
    reason = seat().operator.params.get_param("reason")

    assert reason.schema["maxLength"] == 500
    assert reason.description == "3 to 500 characters, for the ledger; an approval without one is void"


def test_the_options_are_airflows_own() -> None:
    assert (APPROVE, REJECT) == (hitl.ApprovalOperator.APPROVE, hitl.ApprovalOperator.REJECT)
