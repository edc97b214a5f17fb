"""Only what Airflow says waits for an answer is offered, and takes one."""

import pytest
from fastapi.testclient import TestClient

from fleet_examples import WAITING, request_approval
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.registry.ledger import Ledger
from registry_examples import Clock, version_record
from web_app import StandInAirflow

PAGE = f"/mlops/models/{WAITING}"
APPROVE = f"{PAGE}/approve"


@pytest.mark.parametrize("state", ["scheduled", "running", "success"])
def test_what_was_answered_is_not_asked_again(
    browser: TestClient, airflow: StandInAirflow, state: str
) -> None:
    airflow.answered, airflow.states["manual__3"] = True, state
    text = browser.get(PAGE).text
    assert "Version 3 is answered" in text
    assert APPROVE not in text


@pytest.mark.parametrize("done", ["approved", "rejected"])
def test_an_address_that_says_answered_hides_no_question_that_waits(browser: TestClient, done: str) -> None:
    text = browser.get(f"{PAGE}?done={done}").text
    assert APPROVE in text
    assert "is given" not in text


@pytest.mark.parametrize("state", ["failed", "skipped", "upstream_failed", "removed"])
@pytest.mark.parametrize("answered", [True, False])
def test_a_question_whose_task_has_ended_says_to_clear_the_task_in_place_of_the_form(
    browser: TestClient, airflow: StandInAirflow, state: str, answered: bool
) -> None:
    airflow.answered, airflow.states["manual__3"] = answered, state
    text = browser.get(PAGE).text
    assert "Clear the task to ask again" in text
    assert "Version 3 has no answer" in text
    assert APPROVE not in text


def test_a_task_that_asks_about_other_evidence_takes_no_answer_about_this_one(
    browser: TestClient, airflow: StandInAirflow
) -> None:
    airflow.evidence = "another"
    text = browser.get(PAGE).text
    assert "asks about other evidence" in text
    assert APPROVE not in text


@pytest.mark.parametrize(
    ("silent", "said"),
    [((404, "gone"), "Clear the task to ask again"), ((500, "oops"), "Airflow does not say"), (None, "yet")],
)
def test_a_question_of_which_airflow_does_not_say_that_it_waits_is_not_offered(
    browser: TestClient, airflow: StandInAirflow, silent: tuple[int, str] | None, said: str
) -> None:
    airflow.silent, airflow.states["manual__3"] = silent, "up_for_retry"
    text = browser.get(PAGE).text
    assert said in text
    assert APPROVE not in text


def test_a_dead_question_does_not_hide_one_that_waits(
    browser: TestClient, airflow: StandInAirflow, ledger: Ledger, clock: Clock, judged: EvaluationReport
) -> None:
    ledger.record_version(
        version_record(4, model=WAITING, evidence_digest=judged.digest()), operation_key="w/4", actor="train"
    )
    later = {"run_id": "manual__4", "operation_key": "ask/4"}
    request_approval(ledger, clock, model=WAITING, version=4, evidence=judged.digest(), **later)
    airflow.states["manual__3"] = "failed"
    assert "Approve version 4?" in browser.get(PAGE).text


@pytest.mark.parametrize("action", ["approve", "reject"])
@pytest.mark.parametrize("state", ["failed", "skipped", "upstream_failed", "removed", "running", "queued"])
def test_an_answer_to_a_task_that_does_not_wait_is_a_conflict_and_goes_nowhere(
    browser: TestClient, airflow: StandInAirflow, approval: dict[str, str], action: str, state: str
) -> None:
    airflow.states["manual__3"] = state
    answer = browser.post(f"{PAGE}/{action}", data=approval)
    assert answer.status_code == 409
    assert "Nothing was changed" in answer.text
    assert airflow.sent == []


def test_the_answer_to_a_question_asked_again_goes_to_the_task_that_waits(
    browser: TestClient,
    airflow: StandInAirflow,
    approval: dict[str, str],
    ledger: Ledger,
    clock: Clock,
) -> None:
    again = {"run_id": "manual__4", "operation_key": "ask again"}
    request_approval(ledger, clock, model=WAITING, version=3, evidence=approval["evidence"], **again)
    airflow.states["manual__3"] = "failed"
    assert browser.post(f"{PAGE}/approve", data=approval).status_code == 303
    assert "/manual__4/" in airflow.sent[0]["path"]
