"""A study's report on a terminal: a value that renders itself at any width. The verdict comes first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ...spaces.presets import load_preset
from ..answer.summary import Summary
from ..text import in_words
from ..words.facts import facts, next_step
from ..words.sentences import DEMONSTRATION, headline
from .insight_tables import confused, depth_line
from .tables import beside_the_post, differences, intervals, leaderboard, stacked, techniques

WIDEST = 120
"""Columns of the verdict's panel at most: longer lines are hard to read."""

_COLOURS = {"win": "green", "tie": "blue", "insufficient": "yellow"}


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a study.

    Attributes:
        summary: What is reported.
        top: Trials in the leaderboard.
    """

    summary: Summary
    top: int = 10

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Renders the parts one below the other."""
        yield from stacked(self._parts(options.max_width))

    def _parts(self, width: int) -> Iterator[RenderableType]:
        summary = self.summary
        yield _verdict(summary, min(width, WIDEST))
        yield techniques(summary, width)
        if any(technique.test for technique in summary.techniques):
            yield intervals(summary, width)
        if summary.verdict.comparisons:
            yield differences(summary)
        if summary.confusion:
            yield confused(summary.confusion, summary.settings.data.classes)
        if summary.similarity and summary.similarity.profile:
            yield depth_line(summary.similarity)
        if summary.settings.space == load_preset("post").space.as_dict():
            yield beside_the_post(summary)
        if summary.ranked:
            yield leaderboard(summary, self.top)
        rows = Table.grid(padding=(0, 2))
        for label, value in facts(summary):
            rows.add_row(Text(label, style="bold"), Text(value, overflow="fold"))
        yield rows


def _verdict(summary: Summary, width: int) -> Panel:
    verdict = summary.verdict
    lines: list[RenderableType] = [Text(verdict.reason)]
    best = next((t.best for t in summary.techniques if t.technique is verdict.recommended and t.best), None)
    if best is not None:
        lines.append(Text(f"The best recipe of {best.recipe.technique}: {in_words(best.recipe)}."))
    if summary.cost_sentence:
        lines.append(Text(summary.cost_sentence))
    if summary.is_demonstration:
        lines.append(Text(DEMONSTRATION))
    if step := next_step(summary):
        lines += [Text(), Text(step, style="dim")]
    colour = _COLOURS[verdict.decision]
    return Panel(
        Group(*lines),
        title=Text(headline(summary), style=f"bold {colour}"),
        title_align="left",
        border_style=colour,
        padding=(1, 2),
        width=width,
    )
