"""A study's report in any of the formats."""

from __future__ import annotations

from .answer.summary import Summary


def render(summary: Summary, output_format: str, top: int = 10) -> str:
    """The report as text.

    Args:
        summary: What is reported.
        output_format: ``json``, ``csv``, ``markdown``, ``html`` or ``terminal``: what the terminal shows, without its colours.
        top: Trials in the terminal's leaderboard.
    """
    # Each format imports its own libraries: JSON needs neither rich nor the page's templates.
    if output_format == "terminal":
        from .terminal.drawing import plain
        from .terminal.report import Report

        return plain(Report(summary, top))
    if output_format == "html":
        from .html.report import render_report

        return render_report(summary)
    from .files.csv import study_csv
    from .files.json import study_json
    from .files.markdown import study_markdown

    return {"json": study_json, "csv": study_csv, "markdown": study_markdown}[output_format](summary)
