"""A browser that tests drive: Debian's Chromium, without a window."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser a module; each test opens a context, with cookies of its own.

    Playwright keeps an event loop running in this thread, in which no other test could run one.
    """
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.fail("no Chromium is installed; install chromium, or run the tests through .ci/with-engine")
    with sync_playwright() as playwright:
        # Root's Chromium starts without its sandbox alone; it only ever sees the test's own server.
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--headless=new", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


def watched(context: BrowserContext, problems: list[str]) -> Page:
    """Open a page whose dialogs and script errors are noted as problems."""
    page = context.new_page()

    def refuse(dialog: Any) -> None:
        problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", refuse)
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    return page
