"""Decisions made on a page: carried out by Airflow as the user, or refused with words."""

import re
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from fleet_examples import QUIET, WAITING
from mlops_core.registry.ledger import Ledger
from web_app import StandInAirflow, signed_in

PAGE = f"/mlops/models/{WAITING}"


@pytest.fixture
def roll_back() -> dict[str, str]:
    return {"reason": "complaints", "key": "0123456789abcdef", "generation": "2", "version": "2"}


@pytest.mark.parametrize(
    ("action", "option", "done"), [("approve", "Approve", "approved"), ("reject", "Reject", "rejected")]
)
def test_an_answer_goes_to_the_task_that_asked_in_the_users_own_name(
    browser: TestClient,
    airflow: StandInAirflow,
    approval: dict[str, str],
    action: str,
    option: str,
    done: str,
) -> None:
    answer = browser.post(f"{PAGE}/{action}", data=approval)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{PAGE}?done={done}"
    assert airflow.sent == [
        {
            "method": "PATCH",
            "path": f"dags/{WAITING}__train/dagRuns/manual__3/taskInstances/approve/-1/hitlDetails",
            "body": {
                "chosen_options": [option],
                "params_input": {"reason": "better on every slice", "evidence": approval["evidence"]},
            },
            "token": "Bearer ada",
        }
    ]


def test_a_roll_back_names_the_version_that_the_page_showed(
    browser: TestClient, airflow: StandInAirflow, roll_back: dict[str, str]
) -> None:
    answer = browser.post(f"{PAGE}/roll-back", data=roll_back)
    assert answer.headers["location"] == f"{PAGE}?done=roll-back"
    (sent,) = airflow.sent
    assert sent["path"] == "dags/mlops__rollback/dagRuns"
    assert sent["body"] == {
        "dag_run_id": "models_page__0123456789abcdef",
        "logical_date": None,
        "conf": {"model": WAITING, "reason": "complaints", "version": 2},
    }


def test_training_starts_with_the_reason_and_says_when_its_dag_is_paused(
    browser: TestClient, airflow: StandInAirflow, roll_back: dict[str, str]
) -> None:
    airflow.paused = True
    answer = browser.post(f"{PAGE}/train", data={**roll_back, "reason": "new features"})
    assert answer.headers["location"] == f"{PAGE}?done=training-paused"
    (sent,) = airflow.sent
    assert sent["path"] == f"dags/{WAITING}__train/dagRuns"
    assert sent["body"]["conf"] == {"reason": "new features"}


def test_a_form_sent_twice_starts_one_run(
    browser: TestClient, airflow: StandInAirflow, roll_back: dict[str, str]
) -> None:
    airflow.refuses = (409, "DAGRun with that id exists")
    airflow.started = {"reason": "complaints"}
    answer = browser.post(f"{PAGE}/train", data=roll_back)
    assert answer.headers["location"] == f"{PAGE}?done=training"


@pytest.mark.parametrize("action", ["train", "roll-back"])
def test_a_form_sent_again_with_another_reason_says_that_its_run_was_started_already(
    browser: TestClient, airflow: StandInAirflow, roll_back: dict[str, str], action: str
) -> None:
    airflow.refuses = (409, "DAGRun with that id exists")
    airflow.started = {"reason": "something else"}
    answer = browser.post(f"{PAGE}/{action}", data=roll_back)
    assert answer.status_code == 409
    assert "already, with another reason" in answer.text


@pytest.mark.parametrize(
    "changes",
    [{"generation": "1"}, {"version": "2"}, {"evidence": "another"}],
    ids=["generation", "version", "evidence"],
)
def test_an_approval_of_something_else_than_what_waits_is_a_conflict_and_changes_nothing(
    browser: TestClient, airflow: StandInAirflow, approval: dict[str, str], changes: dict[str, str]
) -> None:
    answer = browser.post(f"{PAGE}/approve", data={**approval, **changes})
    assert answer.status_code == 409
    assert "Nothing was changed" in answer.text
    assert airflow.sent == []


@pytest.mark.parametrize("changes", [{"generation": "1"}, {"version": "1"}])
def test_a_roll_back_of_what_is_no_longer_in_production_is_a_conflict(
    browser: TestClient, airflow: StandInAirflow, roll_back: dict[str, str], changes: dict[str, str]
) -> None:
    answer = browser.post(f"{PAGE}/roll-back", data={**roll_back, **changes})
    assert answer.status_code == 409
    assert airflow.sent == []


def test_an_approval_that_somebody_gave_meanwhile_is_a_conflict(
    browser: TestClient, airflow: StandInAirflow, approval: dict[str, str], ledger: Ledger
) -> None:
    ledger.reject(
        WAITING,
        version=3,
        expected_generation=2,
        evidence_digest=approval["evidence"],
        actor="grace",
        reason="the slices are small",
        operation_key="grace/3",
    )
    answer = browser.post(f"{PAGE}/approve", data=approval)
    assert answer.status_code == 409
    assert "does not wait for approval any more" in answer.text
    assert airflow.sent == []


@pytest.mark.parametrize("reason", ["", "no", "   no   ", "x" * 501])
def test_a_reason_outside_its_bounds_is_refused_and_what_was_written_is_kept(
    browser: TestClient, airflow: StandInAirflow, approval: dict[str, str], reason: str
) -> None:
    answer = browser.post(f"{PAGE}/approve", data={**approval, "reason": reason})
    assert answer.status_code == 422
    assert "Give a reason of 3 to 500 characters" in answer.text
    assert reason in answer.text
    assert airflow.sent == []


@pytest.mark.parametrize(
    "changes",
    [{"generation": "two"}, {"key": "../x"}, {"surprise": "1"}, {"version": "0"}, {"generation": ""}],
)
def test_a_form_that_the_page_did_not_make_is_refused(
    browser: TestClient, airflow: StandInAirflow, approval: dict[str, str], changes: dict[str, str]
) -> None:
    assert browser.post(f"{PAGE}/approve", data={**approval, **changes}).status_code == 422
    assert airflow.sent == []


def test_a_form_of_a_megabyte_is_not_read(browser: TestClient, airflow: StandInAirflow) -> None:
    answer = browser.post(f"{PAGE}/approve", data={"reason": "x" * 1_000_000})
    assert answer.status_code == 413
    assert airflow.sent == []


@pytest.mark.parametrize(
    ("refusal", "code", "said"),
    [
        ((403, "You are not a respondent"), 403, "You are not a respondent"),
        ((409, "already been updated"), 409, "Somebody was first"),
        ((404, "no such task instance"), 409, "is gone"),
        ((500, "oops"), 502, "Airflow refused"),
    ],
)
def test_what_airflow_refuses_is_said_on_a_page(
    browser: TestClient,
    airflow: StandInAirflow,
    approval: dict[str, str],
    refusal: tuple[int, str],
    code: int,
    said: str,
) -> None:
    airflow.refuses = refusal
    answer = browser.post(f"{PAGE}/approve", data=approval)
    assert answer.status_code == code
    assert said in answer.text
    assert "Nothing was changed" in answer.text


@pytest.mark.parametrize("action", ["approve", "reject", "roll-back", "train"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver.evil.example"},
        {"Origin": "https://testserver"},
        {"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Referer": "http://testserver/mlops/models"},
        {"Referer": "http://evil.example/http://testserver/"},
        {},
    ],
)
def test_a_change_from_another_origin_or_from_none_is_refused(
    site: FastAPI, airflow: StandInAirflow, approval: dict[str, str], action: str, headers: dict[str, str]
) -> None:
    browser = TestClient(site, cookies={"_token": "ada"}, follow_redirects=False)
    answer = browser.post(f"{PAGE}/{action}", data=approval, headers={"Accept": "text/html", **headers})
    assert answer.status_code == 403
    assert airflow.sent == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://testserver"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Referer": "http://testserver/mlops/models/flight_delay"},
    ],
)
def test_a_change_from_this_origin_is_taken(
    site: FastAPI, approval: dict[str, str], headers: dict[str, str]
) -> None:
    browser = TestClient(site, cookies={"_token": "ada"}, follow_redirects=False)
    assert browser.post(f"{PAGE}/approve", data=approval, headers=headers).status_code == 303


def test_the_configured_address_counts_where_a_proxy_changes_the_host(
    site: FastAPI, approval: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/sub")
    browser = TestClient(site, cookies={"_token": "ada"}, follow_redirects=False)
    headers = {"Origin": "https://airflow.example"}
    assert browser.post(f"{PAGE}/approve", data=approval, headers=headers).status_code == 303


def test_a_token_without_a_cookie_needs_no_origin_and_beside_a_cookie_it_does(
    site: FastAPI, airflow: StandInAirflow, approval: dict[str, str]
) -> None:
    headers = {"Authorization": "Bearer ada"}
    program = TestClient(site, follow_redirects=False)
    assert program.post(f"{PAGE}/approve", data=approval, headers=headers).status_code == 303
    assert airflow.sent[-1]["token"] == "Bearer ada"
    both = TestClient(site, cookies={"_token": "ada"}, follow_redirects=False)
    assert both.post(f"{PAGE}/approve", data=approval, headers=headers).status_code == 403


@pytest.mark.parametrize("user", [None, "nobody", "stranger"])
@pytest.mark.parametrize("action", ["approve", "reject", "roll-back", "train"])
def test_who_may_not_read_a_model_cannot_act_on_it(
    site: FastAPI, airflow: StandInAirflow, approval: dict[str, str], user: str | None, action: str
) -> None:
    answer = signed_in(site, user).post(f"{PAGE}/{action}", data=approval)
    assert answer.status_code in {401, 403}
    assert airflow.sent == []


def test_who_caused_a_training_of_high_risk_cannot_approve_it(
    site: FastAPI, airflow: StandInAirflow, approval: dict[str, str]
) -> None:
    grace = signed_in(site, "grace")
    page = grace.get(PAGE)
    assert "somebody else decides" in page.text
    assert f"{PAGE}/approve" not in page.text
    assert grace.post(f"{PAGE}/approve", data=approval).status_code == 403
    assert airflow.sent == []


@pytest.mark.parametrize("action", ["approve", "reject", "roll-back", "train"])
def test_a_viewer_cannot_act(
    site: FastAPI, airflow: StandInAirflow, approval: dict[str, str], roll_back: dict[str, str], action: str
) -> None:
    form = approval if action in {"approve", "reject"} else roll_back
    assert signed_in(site, "viewer").post(f"{PAGE}/{action}", data=form).status_code == 403
    assert airflow.sent == []


def test_the_form_of_the_page_is_the_form_that_is_taken(browser: TestClient, airflow: StandInAirflow) -> None:
    form = fields_of(browser.get(PAGE).text, action=f"{PAGE}/approve")
    answer = browser.post(f"{PAGE}/approve", data={**form, "reason": "looks right"})
    assert answer.status_code == 303
    assert len(airflow.sent) == 1


def test_nothing_waits_for_a_quiet_model(browser: TestClient, approval: dict[str, str]) -> None:
    assert browser.post(f"/mlops/models/{QUIET}/approve", data=approval).status_code == 409


def fields_of(text: str, *, action: str) -> dict[str, Any]:
    """Return the hidden fields of the form that posts there."""
    form = text.split(f'action="{action}"', 1)[1].split("</form>", 1)[0]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', form))
