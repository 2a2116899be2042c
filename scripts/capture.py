"""Draws the README's pictures of a study: the terminal's report as SVG, and the top of its page as it looks in a browser.

Usage: ``python scripts/capture.py STUDY docs``. The browser is Debian's ``chromium``; Playwright comes with the extra ``dev``.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.terminal_theme import MONOKAI

from tlsearch.reports import summarize
from tlsearch.reports.answer.summary import Summary
from tlsearch.reports.render import render
from tlsearch.reports.terminal.report import Report

COLUMNS = 120
VIEW = {"width": 1240, "height": 1035}
SHOWN = 1000
"""Pixels that the picture in the README is wide."""


def main() -> None:
    """Draws both."""
    summary, folder = summarize(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.svg").write_text(terminal(summary), encoding="utf-8")
    page(summary, folder / "page.png")


def terminal(summary: Summary) -> str:
    """What ``tlsearch report --top 5`` shows, as SVG."""
    console = Console(file=io.StringIO(), record=True, width=COLUMNS, force_terminal=True, color_system="truecolor")
    console.print(Report(summary, top=5))
    # An id of its own choosing would differ from drawing to drawing.
    return console.export_svg(title="tlsearch report", theme=MONOKAI, unique_id="tlsearch")


def page(summary: Summary, picture: Path) -> None:
    """The top of ``tlsearch report --format html``, as PNG."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        file = Path(scratch) / "report.html"
        file.write_text(render(summary, "html"), encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport=VIEW)
        tab.goto(file.as_uri())
        tab.wait_for_selector("html[data-drawn]", state="attached")
        shot = Image.open(io.BytesIO(tab.screenshot())).convert("RGB")
        browser.close()
    shot.resize((SHOWN, round(shot.height * SHOWN / shot.width)), Image.Resampling.LANCZOS).save(picture, optimize=True)


if __name__ == "__main__":
    main()
