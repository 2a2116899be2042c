"""Draws the README's picture: the terminal's report of a study, as SVG.

Usage: ``python scripts/capture.py STUDY docs/report.svg``
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from tlsearch.reports import summarize
from tlsearch.reports.terminal import Report

WIDTH = 120


def main() -> None:
    """Draws it."""
    study, picture = sys.argv[1], Path(sys.argv[2])
    console = Console(file=io.StringIO(), record=True, width=WIDTH, force_terminal=True, color_system="truecolor")
    console.print(Report(summarize(study), top=5))
    picture.parent.mkdir(parents=True, exist_ok=True)
    # An id of its own choosing would differ from drawing to drawing.
    svg = console.export_svg(title="tlsearch report", theme=MONOKAI, unique_id="tlsearch")
    picture.write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
