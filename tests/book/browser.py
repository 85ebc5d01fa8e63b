"""A browser for tests: the Chromium of this machine, or a skip that says what is missing."""

import shutil
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [  # no sandbox: tests run as root in containers; and nothing that calls home
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def executable():
    """Path of Chromium; the test is skipped where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the PATH")


@contextmanager
def chromium():
    """A headless browser (Playwright's), closed at the end; the test is skipped without one.

    ``with chromium() as browser: page = browser.new_page(viewport={"width": 390, "height": 844})``
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = executable()
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
