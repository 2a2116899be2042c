"""A real browser. Debian calls it chromium; `.ci/run` installs it where it is missing."""

import shutil
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
)


@pytest.fixture(scope="session")
def chromium():
    """One browser for all tests."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra dev brings Playwright")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


class Opened:
    """A page in the browser, and what has been heard from it.

    Attributes:
        page: Playwright's.
        said: Messages of its console and errors that nothing caught.
        asked: Addresses that it asked for, its own file and what it holds left out.
    """

    def __init__(self, page):
        self.page, self.said, self.asked = page, [], []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("dialog", lambda dialog: (self.said.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.asked.append(request.url))

    def drawn(self):
        """Waits until every chart is drawn."""
        self.page.wait_for_selector("html[data-drawn]", state="attached", timeout=30_000)
        return int(self.page.evaluate("document.documentElement.dataset.drawn"))

    def quiet(self):
        """Nothing was said and nothing asked for."""
        others = [url for url in self.asked if not url.startswith(("file:", "data:"))]
        return (not self.said and not others) or (self.said, others)


@pytest.fixture
def visit(chromium, tmp_path):
    """Opens HTML from a file of its own, at a width in pixels."""
    contexts = []

    def visit(html, width=1400, dark=False):
        path = Path(tmp_path) / f"page-{len(contexts)}.html"
        path.write_text(html, encoding="utf-8")
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
        )
        contexts.append(context)
        opened = Opened(context.new_page())
        opened.page.goto(path.as_uri())
        opened.drawn()
        return opened

    yield visit
    for context in contexts:
        context.close()
