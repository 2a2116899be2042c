"""A study's report on a terminal: a value that renders itself at any width. The verdict comes first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import RenderableType
from rich.panel import Panel
from rich.text import Text

from ...spaces.presets import load_preset
from ..answer.summary import Summary
from ..words.sentences import DEMONSTRATION, best_recipe, headline, nothing_learned, standing
from ..words.study import next_step, study_facts
from .drawing import Stacked, facts_grid, panel
from .insight_tables import depth_line, recall_table
from .tables import beside_the_post, certainty_table, difference_table, intervals, leaderboard, techniques

WIDEST = 120
"""Columns of the verdict's panel at most: longer lines are hard to read."""

_COLOURS = {"win": "green", "tie": "blue", "insufficient": "yellow"}


@dataclass(frozen=True, slots=True)
class Report(Stacked):
    """The report of a study, with so many trials in its leaderboard as ``top`` says."""

    summary: Summary
    top: int = 10

    def parts(self, width: int) -> Iterator[RenderableType]:
        summary = self.summary
        yield _verdict(summary, min(width, WIDEST))
        yield techniques(summary, width)
        if summary.tests:
            yield intervals(summary, width)
        if summary.verdict.chances:
            yield certainty_table(summary)
        if summary.verdict.comparisons:
            yield difference_table(summary)
        if summary.confusion:
            yield recall_table(summary.confusion, summary.settings.data.classes)
        if summary.similarity:
            yield depth_line(summary.similarity.profile)
        post = load_preset("post").space.as_dict()
        if post | summary.settings.space == post:
            yield beside_the_post(summary)
        if summary.ranked:
            yield leaderboard(summary, self.top)
        yield facts_grid(study_facts(summary))


def _verdict(summary: Summary, width: int) -> Panel:
    verdict = summary.verdict
    lines: list[RenderableType] = [Text(line) for line in (nothing_learned(summary), verdict.reason) if line]
    demonstration = DEMONSTRATION if summary.is_demonstration else ""
    lines += map(Text, filter(None, (best_recipe(summary), summary.cost_sentence, demonstration)))
    if step := next_step(summary):
        lines += [Text(), Text(step, style="dim")]
    return panel(headline(summary), lines, _COLOURS[standing(summary)], width)
