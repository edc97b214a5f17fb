"""The pages of the models: who sees what, and that nothing of it runs."""

from pathlib import Path
from urllib.parse import quote_plus

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from airflow_mlops.ui import models
from airflow_mlops.ui.ownership import claim
from fleet_examples import (
    HOSTILE,
    NEW,
    QUIET,
    WAITING,
    decided,
    evaluation_record,
    promoted,
    request_approval,
)
from mlops_core.errors import (
    CorruptedDataError,
    DeclarationError,
    LedgerUnavailableError,
    MlopsError,
    RegistryUnavailableError,
)
from mlops_core.evaluation.report import EvaluationReport
from mlops_core.policies import LONGEST_REASON, SHORTEST_REASON
from mlops_core.registry.ledger import Ledger
from mlops_core.reports import ReportStore
from registry_examples import Clock, version_record
from web_app import USERS, StandInAirflow, User, signed_in


def test_the_fleet_shows_what_each_model_has_in_production_and_what_needs_a_person(
    browser: TestClient,
) -> None:
    page = browser.get("/mlops/models")
    assert page.status_code == 200
    assert page.text.index(WAITING) < page.text.index(NEW) < page.text.index(QUIET), "most urgent first"
    for said in ("v2", "23 days ago", "Version 3 waits for approval", "Nothing is in production yet"):
        assert said in page.text


def test_a_user_sees_the_models_whose_training_they_may_read_and_no_other(site: FastAPI) -> None:
    page = signed_in(site, "stranger").get("/mlops/models")
    assert QUIET in page.text
    assert WAITING not in page.text
    assert signed_in(site, "stranger").get(f"/mlops/models/{WAITING}").status_code == 403
    assert signed_in(site, "stranger").get("/mlops/models/unheard_of").status_code == 403


def test_the_fleet_is_filtered_by_name_and_by_need(browser: TestClient) -> None:
    found = browser.get("/mlops/models", params={"q": "DIG"}).text
    assert f"/mlops/models/{QUIET}" in found
    assert f"/mlops/models/{WAITING}" not in found
    needing = browser.get("/mlops/models", params={"attention": "true"}).text
    assert f"/mlops/models/{WAITING}" in needing
    assert f"/mlops/models/{QUIET}" not in needing
    assert "No model matches" in browser.get("/mlops/models", params={"q": "zzz"}).text


def test_an_empty_fleet_says_how_a_model_comes_about(site: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(USERS, "ada", User("ada"))
    page = signed_in(site, "ada").get("/mlops/models")
    assert page.status_code == 200
    assert "pipeline_dags" in page.text


@pytest.mark.parametrize("path", ["/mlops/models", f"/mlops/models/{WAITING}"])
def test_without_a_session_a_browser_is_asked_to_sign_in_and_a_program_gets_json(
    site: FastAPI, path: str
) -> None:
    shown = signed_in(site, None).get(path)
    assert shown.status_code == 401
    assert "/auth/login" in shown.text
    assert "flight_delay" not in shown.text
    refused = TestClient(site).get(path, headers={"Accept": "application/json"})
    assert refused.status_code == 401
    assert refused.json() == {"detail": "Not authenticated"}


def test_a_model_shows_its_evidence_versions_windows_and_timeline(
    browser: TestClient, judged: EvaluationReport
) -> None:
    text = browser.get(f"/mlops/models/{WAITING}").text
    for said in (
        "Approve version 3?",
        judged.digest(),
        "0.7589",
        "0.7520 to 0.7654",
        "+0.0123",
        "roc_auc &gt;= 0.65",
        "Candidate logistic was refused by the gates",
        "Version 2 put into production",
        "Roll back to version 1",
        "prediction drift, loss of performance",
    ):
        assert said in text


def test_a_window_leads_to_its_report_and_to_evidentlys(
    browser: TestClient, ledger: Ledger, tmp_path: Path
) -> None:
    store = ReportStore(tmp_path / "reports")
    pages = {
        name: store.write(pipeline=WAITING, kind="drift", key="w", name=f"{name}.html", content="<p>")
        for name in ("report", "evidently")
    }
    claim(store.path(pages["report"]), dag_id=f"{WAITING}__monitor")
    decided(
        ledger,
        WAITING,
        window="2013-09",
        answer="wait",
        signals=(),
        page=pages["report"],
        evidently=pages["evidently"],
    )
    decided(ledger, WAITING, window="2013-10", answer="wait", signals=(), page="../outside", evidently=None)

    text = browser.get(f"/mlops/models/{WAITING}").text

    for name, title in (("report", "Report"), ("evidently", "Evidently")):
        path = quote_plus(pages[name])
        assert f'reports?dag_id={WAITING}__monitor&amp;path={path}">{title}</a>' in text
    assert "outside" not in text


def test_a_model_that_the_ledger_never_saw_is_a_404_with_advice(
    site: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(USERS, "ada", User("ada", reads={"unheard__train"}))
    page = signed_in(site, "ada").get("/mlops/models/unheard")
    assert page.status_code == 404
    assert "The ledger knows no model of this name" in page.text


def test_a_viewer_sees_the_evidence_and_no_button(site: FastAPI) -> None:
    text = signed_in(site, "viewer").get(f"/mlops/models/{WAITING}").text
    assert "0.7589" in text
    assert "You may read this, not decide it." in text
    assert "<button" not in text
    assert "<form" not in text


@pytest.mark.usefixtures("judged")
def test_the_form_asks_for_a_reason_that_counts(browser: TestClient) -> None:
    text = browser.get(f"/mlops/models/{WAITING}").text

    assert f'required minlength="{SHORTEST_REASON}" maxlength="{LONGEST_REASON}"' in text


def test_only_named_approvers_get_the_buttons(
    site: FastAPI, airflow: StandInAirflow, ledger: Ledger, clock: Clock
) -> None:
    airflow.evidence = "evidence-5"
    promoted(ledger, clock, 2, model=QUIET)
    ledger.record_evaluation(evaluation_record(QUIET, clock, digest="evidence-5", key="5"))
    ledger.record_version(version_record(5, model=QUIET), operation_key="q/5", actor="train")
    request_approval(ledger, clock, model=QUIET, version=5, evidence="evidence-5", approvers=("grace",))
    text = signed_in(site, "ada").get(f"/mlops/models/{QUIET}").text
    assert "grace" in text
    assert "You may read this, not decide it." in text
    assert "/approve" not in text
    assert "/train" in text


def test_hostile_names_are_shown_and_never_run(browser: TestClient) -> None:
    page = browser.get(f"/mlops/models/{WAITING}")
    assert HOSTILE not in page.text
    assert "&lt;script&gt;window.pwned=1&lt;/script&gt;" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy, "no script may run, so none needs a rule"
    assert "frame-ancestors 'self'" in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    hostile = browser.get("/mlops/models", params={"q": f'"{HOSTILE}'})
    assert HOSTILE not in hostile.text


def test_a_flash_message_is_chosen_by_a_known_word_and_never_taken_from_the_address(
    browser: TestClient, airflow: StandInAirflow
) -> None:
    airflow.answered = True
    assert "Your approval is given" in browser.get(f"/mlops/models/{WAITING}?done=approved").text
    assert "visit evil" not in browser.get(f"/mlops/models/{WAITING}?done=visit+evil").text


def test_when_mlflow_is_away_the_page_says_so_and_shows_the_rest(
    browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_record: object) -> EvaluationReport:
        raise RegistryUnavailableError("MLflow did not answer")

    monkeypatch.setattr(models, "read_evaluation", away)
    page = browser.get(f"/mlops/models/{WAITING}")
    assert page.status_code == 200
    assert "The numbers cannot be shown: MLflow did not answer" in page.text
    assert "Version 2 put into production" in page.text


def test_when_the_ledger_is_away_the_page_says_so(
    browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Ledger:
        raise LedgerUnavailableError("the ledger at sqlite did not answer")

    monkeypatch.setattr(models, "open_ledger", away)
    page = browser.get("/mlops/models")
    assert page.status_code == 503
    assert "The ledger cannot be read" in page.text
    assert "did not answer" in page.text


@pytest.mark.parametrize("error", [DeclarationError, CorruptedDataError])
def test_what_no_other_try_mends_is_not_told_as_an_outage(
    browser: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[MlopsError],
) -> None:
    def broken() -> Ledger:
        raise error("the ledger is of a later release")

    monkeypatch.setattr(models, "open_ledger", broken)
    page = browser.get("/mlops/models")

    assert page.status_code == 500
    assert "This did not work" in page.text
    assert "the ledger is of a later release" in page.text
    assert "The ledger cannot be read" not in page.text
    assert "/mlops/models failed" in caplog.text


def test_a_stored_report_is_framed_without_this_origin_and_one_of_another_dag_is_not_linked(
    browser: TestClient, tmp_path: Path
) -> None:
    store = ReportStore(tmp_path / "reports")
    path = store.write(pipeline=WAITING, kind="evaluation", key="3", name="report.html", content="<p>3")
    claim(store.path(path), dag_id="somebody_elses")
    assert "<iframe" not in browser.get(f"/mlops/models/{WAITING}").text
    claim(store.path(path), dag_id=f"{WAITING}__train")
    text = browser.get(f"/mlops/models/{WAITING}").text
    assert '<iframe sandbox="allow-scripts"' in text
    assert "allow-same-origin" not in text


def test_inside_airflows_frame_outside_addresses_are_shown_and_not_linked(browser: TestClient) -> None:
    alone = browser.get(f"/mlops/models/{WAITING}").text
    framed = browser.get(f"/mlops/models/{WAITING}", headers={"Sec-Fetch-Dest": "iframe"}).text
    assert '/#/models/flight_delay"' in alone
    assert '/#/models/flight_delay"' not in framed
    assert "/#/models/flight_delay" in framed
