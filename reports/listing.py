"""The studies in a folder, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from ..spaces.errors import StudyError
from .summary import summarize
from .text import literal


@dataclass(frozen=True, slots=True)
class Listing:
    """One row a study.

    Attributes:
        studies: Their folders, in the order of the rows.
        runs: The folder that was looked in.
    """

    studies: Sequence[Path]
    runs: Path

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Renders the table, or a line where there is none."""
        if not self.studies:
            yield Text(f"No studies in {literal(str(self.runs))}. `tlsearch run` makes one.")
            return
        table = Table("study", "data", "trials", "verdict")
        for path in self.studies:
            try:
                summary = summarize(path)
            except StudyError as error:
                table.add_row(literal(path.name), "", "", Text(literal(str(error)), style="red"))
                continue
            verdict = summary.verdict
            answer = f"{verdict.decision}: {verdict.recommended}" if verdict.recommended else verdict.decision
            done = sum(len(technique.trials) for technique in summary.techniques)
            table.add_row(Text(literal(path.name)), Text(literal(summary.settings.data.path)), str(done), answer)
        yield table
