"""The Models page in Airflow's own web UI, in a real browser, on a real API server and scheduler."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from mlflow import MlflowClient
from playwright.sync_api import Browser, FrameLocator, Page, expect

from airflow_mlops.ui.ownership import claim
from browser import watched
from embedded_platform import PROJECT, OwnPlatform
from fleet_examples import HOSTILE, WAITING, decided, declared, evaluation_record, promoted, report
from following import ANSWER_WITHIN_S, Follower
from mlops_core.cli.airflow_api import DagRun
from mlops_core.cli.embedded.credentials import USER, ensure_secrets, read_password
from mlops_core.cli.embedded.environment import Project, platform_environment
from mlops_core.evaluation.evidence import log_evidence
from mlops_core.evaluation.page import render
from mlops_core.registry.ledger import Ledger
from mlops_core.reports import ReportStore
from registry_examples import Clock, stored_model, version_record

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

_DAGS = Path(__file__).parent / "page_dags"
_PATIENCE_MS = 90_000
expect.set_options(timeout=_PATIENCE_MS)
PAGE = f"/mlops/models/{WAITING}"


@dataclass
class Site:
    """The platform, seeded: version 2 is in production above 1, and version 3 waits for approval."""

    platform: OwnPlatform
    follower: Follower
    ledger: Ledger
    run: DagRun
    digest: str

    @property
    def url(self) -> str:
        return self.follower.url


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A platform of this module's own: a roll back here must not reach another test's models."""
    own = OwnPlatform.make(tmp_path_factory.mktemp("page"), dags=_DAGS)
    own.environment["PATH"] = f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}"
    try:
        started = own.command("up")
        assert started.returncode == 0, started.stdout + started.stderr
        with own.api() as api, Ledger(f"sqlite:///{own.home.root / 'ledger.db'}") as ledger:
            yield seeded(own, Follower(own, api), ledger)
    finally:
        ended = own.command("down")
        assert ended.returncode == 0, ended.stdout + ended.stderr


def seeded(own: OwnPlatform, follower: Follower, ledger: Ledger) -> Site:
    """Fill the ledger, MLflow and the report store without training, and have the approval task ask."""
    clock = Clock()
    clock.now = datetime.now(UTC) - timedelta(days=40)
    past = Ledger(f"sqlite:///{own.home.root / 'ledger.db'}", clock=clock)
    declared(past, clock, WAITING, description="Whether a flight arrives more than 15 minutes late.")
    for number in (1, 2):
        promoted(past, clock, number, model=WAITING)
        clock.forward(days=15)
    past.record_evaluation(
        evaluation_record(WAITING, clock, digest="refused", key="no", passed=False, candidate="logistic")
    )
    decided(past, WAITING, window="2013-06", answer="wait", signals=())
    decided(past, WAITING, window="2013-07", answer="wait", signals=("data_drift",))
    past.close()
    client = MlflowClient(own.record.ports.mlflow_url)
    stored = stored_model(client)
    judged = report(stored)
    page = render(judged)
    log_evidence(client, judged, page=page)
    store = ReportStore(own.home.root / "reports")
    path = store.write(pipeline=WAITING, kind="evaluation", key="3", name="report.html", content=page)
    claim(store.path(path), dag_id=f"{WAITING}__train")
    clock.now = datetime.now(UTC)
    record = ledger.record_version(
        version_record(3, evidence_digest=judged.digest(), run_id=stored.run_id),
        operation_key="seed/register",
        actor=f"dag:{WAITING}__train",
    )
    ledger.record_evaluation(
        evaluation_record(WAITING, clock, digest=judged.digest(), key="3", page=path, run_id=stored.run_id)
    )
    follower.unpause(f"{WAITING}__train", "mlops__rollback")
    evaluation = {"run_id": stored.run_id, "digest": judged.digest()}
    conf = {"reason": "new data", "version": record.model_dump(mode="json"), "evaluation": evaluation}
    run = follower.trigger(f"{WAITING}__train", conf=conf)
    follower.wait_for_task(run, "approve", states={"awaiting_input", "deferred"})
    # A page waits for MLflow for seconds alone; what it has read once it keeps.
    assert any("0.7520 to 0.7654" in follower.get(PAGE).text for _ in range(10)), "MLflow never answered"
    return Site(platform=own, follower=follower, ledger=ledger, run=run, digest=judged.digest())


@pytest.fixture
def problems() -> Iterator[list[str]]:
    """What went wrong in the browser: nothing may."""
    found: list[str] = []
    yield found
    assert [problem for problem in found if problem.startswith("dialog")] == []


@pytest.fixture
def admin(site: Site, chromium: Browser, problems: list[str]) -> Iterator[Page]:
    """The administrator, signed in through Airflow's own form."""
    context = chromium.new_context(viewport={"width": 1440, "height": 960})
    context.set_default_timeout(_PATIENCE_MS)
    page = watched(context, problems)
    page.goto(f"{site.url}/auth/login")
    page.fill('input[name="username"]', USER)
    page.fill('input[name="password"]', read_password(site.platform.home))
    page.press('input[name="password"]', "Enter")
    page.wait_for_url(lambda address: "/auth/login" not in address)
    yield page
    context.close()


@pytest.fixture
def viewer_token(site: Site) -> str:
    """A session of somebody who may only read, made with the platform's own secret."""
    code = (
        "from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager\n"
        "from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser\n"
        "user = SimpleAuthManagerUser(username='viewer', role='viewer')\n"
        "print(SimpleAuthManager().generate_jwt(user))"
    )
    home = site.platform.home
    project = Project(root=PROJECT, dags_folder=_DAGS, plugins_folder=PROJECT / "plugins")
    environment = platform_environment(
        home, ports=site.platform.record.ports, project=project, secrets=ensure_secrets(home)
    )
    made = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return made.stdout.split()[-1]


def frame(page: Page) -> FrameLocator:
    """What the plugin shows inside Airflow's page."""
    return page.frame_locator('iframe[title="Models"]')


def open_model(page: Page) -> FrameLocator:
    """Go to the model as a person does: by the navigation, then by its name."""
    page.get_by_role("link", name="Models", exact=True).click()
    shown = frame(page)
    shown.get_by_role("link", name=WAITING, exact=True).click()
    expect(shown.get_by_role("heading", name=WAITING)).to_be_visible()
    return shown


def open_again(site: Site, page: Page) -> FrameLocator:
    """Load the model's page inside Airflow by its own address, as a bookmark does."""
    page.goto(f"{site.url}/plugin/models{PAGE}")
    shown = frame(page)
    expect(shown.get_by_role("heading", name=WAITING)).to_be_visible()
    return shown


def pictured(page: Page, name: str) -> None:
    """Keep a picture where somebody asked for some."""
    if folder := os.environ.get("MLOPS_TEST_PICTURES"):
        page.screenshot(path=f"{folder}/{name}.png")


def test_the_navigation_leads_to_the_fleet_and_on_to_the_evidence(admin: Page, problems: list[str]) -> None:
    admin.get_by_role("link", name="Models", exact=True).click()
    fleet = frame(admin)
    expect(fleet.get_by_text("Version 3 waits for approval")).to_be_visible()
    pictured(admin, "fleet-in-airflow")
    fleet.get_by_role("link", name=WAITING, exact=True).click()
    shown = frame(admin)
    expect(shown.get_by_text("0.7520 to 0.7654")).to_be_visible()
    expect(shown.get_by_text(HOSTILE).first).to_be_visible()
    shown.get_by_text("Whole report").click()
    inner = shown.frame_locator("details.report iframe")
    expect(inner.get_by_role("heading", name="Challenger against champion")).to_be_visible()
    pictured(admin, "model-in-airflow")
    assert not any(part.evaluate("'pwned' in window") for part in admin.frames), "a name ran as a script"
    assert len(admin.frames) == 3
    assert problems == []


def test_a_report_reaches_neither_the_session_nor_the_page_around_it(admin: Page) -> None:
    shown = open_model(admin)
    shown.get_by_text("Whole report").click()
    expect(shown.frame_locator("details.report iframe").get_by_role("heading").first).to_be_visible()
    (inner,) = [part for part in admin.frames if "/mlops/reports" in part.url]
    assert inner.evaluate("self.origin") == "null"
    assert inner.evaluate("(() => { try { return document.cookie } catch (e) { return e.name } })()") == (
        "SecurityError"
    )


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_a_phone_and_a_desk_in_light_and_dark(
    site: Site, admin: Page, chromium: Browser, width: int, scheme: Any
) -> None:
    context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    context.add_cookies(admin.context.cookies())
    page = context.new_page()
    for path in ("/mlops/models", PAGE):
        page.goto(site.url + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        pictured(page, f"{path.rsplit('/', 1)[-1]}-{scheme}-{width}")
    context.close()


def test_a_viewer_reads_everything_and_changes_nothing(
    site: Site, chromium: Browser, viewer_token: str
) -> None:
    context = chromium.new_context()
    context.add_cookies([{"name": "_token", "value": viewer_token, "url": site.url}])
    page = context.new_page()
    page.goto(site.url + PAGE)
    expect(page.get_by_text("0.7520 to 0.7654")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    context.close()
    for action in ("approve", "reject", "roll-back", "train"):
        answer = posted(site, action, cookies={"_token": viewer_token}, headers={"Origin": site.url})
        assert answer.status_code == 403, action
    assert site.ledger.approvals(WAITING) == ()


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://evil.example"}, {"Origin": "null"}])
def test_a_form_of_another_site_changes_nothing(site: Site, admin: Page, headers: dict[str, str]) -> None:
    (token,) = [cookie["value"] for cookie in admin.context.cookies() if cookie.get("name") == "_token"]
    for action in ("approve", "reject", "roll-back", "train"):
        answer = posted(site, action, cookies={"_token": token or ""}, headers=headers)
        assert answer.status_code == 403, action
    assert site.ledger.approvals(WAITING) == ()
    assert len(site.follower.api.runs(f"{WAITING}__train")) == 1


def posted(site: Site, action: str, *, cookies: dict[str, str], headers: dict[str, str]) -> httpx.Response:
    form = {"reason": "because", "key": "0123456789abcdef", "generation": "2"}
    if action != "train":
        form["version"] = "3" if action in {"approve", "reject"} else "2"
    if action in {"approve", "reject"}:
        form["evidence"] = site.digest
    url = f"{site.url}{PAGE}/{action}"
    return httpx.post(url, data=form, cookies=cookies, headers=headers, timeout=ANSWER_WITHIN_S)


def test_an_approval_with_a_reason_reaches_the_ledger_in_the_persons_name(site: Site, admin: Page) -> None:
    shown = open_model(admin)
    shown.get_by_role("button", name="Approve").click()
    expect(shown.get_by_label("Reason, for the ledger").first).to_be_focused()
    shown.get_by_label("Reason, for the ledger").first.fill("better on every slice")
    shown.get_by_role("button", name="Approve").click()
    expect(shown.get_by_text("Your approval is given")).to_be_visible()
    pictured(admin, "approved-in-airflow")

    site.follower.succeed(site.run)
    (approval,) = site.ledger.approvals(WAITING)
    assert (approval.verdict, approval.actor, approval.reason) == ("approve", USER, "better on every slice")
    assert (approval.version, approval.evidence_digest) == (3, site.digest)
    shown = open_again(site, admin)
    expect(shown.get_by_text("Version 3 approved")).to_be_visible()
    expect(shown.get_by_role("button", name="Approve")).to_have_count(0)


def test_a_roll_back_goes_through_airflow_and_shows_in_the_timeline(site: Site, admin: Page) -> None:
    shown = open_model(admin)
    shown.get_by_text("Roll back to version 1").click()
    form = shown.locator("details", has_text="Roll back to version 1")
    form.get_by_label("Reason, for the ledger").fill("complaints from operations")
    form.get_by_role("button", name="Roll back").click()
    expect(shown.get_by_text("The roll back has started")).to_be_visible()

    (run,) = site.follower.api.runs("mlops__rollback")
    # Deploying needs real model files, which nothing here has; the ledger has moved before that.
    site.follower.wait_for_task(run, "roll_back", states={"success"})
    last = site.ledger.history(WAITING)[-1]
    assert (last.kind, last.version, last.actor) == ("roll_back", 1, USER)
    assert "complaints from operations" in last.reason
    shown = open_again(site, admin)
    expect(shown.get_by_text("Rolled back to version 1")).to_be_visible()
