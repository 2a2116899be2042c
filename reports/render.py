"""A study's report in any of the formats."""

from __future__ import annotations

from .answer.summary import Summary
from .files.study import _csv, _json, _markdown


def render(summary: Summary, form: str, top: int = 10) -> str:
    """The report as ``json``, ``csv``, ``markdown``, ``html`` or ``terminal``: what the terminal shows, without its colours.

    Args:
        summary: What is reported.
        form: One of these.
        top: Trials in the terminal's leaderboard.
    """
    if form == "terminal":
        from .terminal.report import Report
        from .terminal.tables import plain

        return plain(Report(summary, top))
    if form == "html":
        from .html.report import render_report

        return render_report(summary)
    return {"json": _json, "csv": _csv, "markdown": _markdown}[form](summary)
