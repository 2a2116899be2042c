"""A study's report on a terminal: a value that renders itself at any width. The verdict comes first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ..search.kept import kept_bytes
from ..spaces.presets import load_preset
from .sentences import DEMONSTRATION, headline, rule_of_thumb, time_spent
from .summary import Summary
from .tables import beside_the_post, differences, intervals, leaderboard, techniques
from .text import count, describe, in_words, listed, literal

SHOWN = 5
"""Skipped files, failed trials: so many of them are named."""

SHOWN_CLASSES = 10

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
        for number, part in enumerate(self._parts(options.max_width)):
            if number:
                yield Text()
            yield part

    def _parts(self, width: int) -> Iterator[RenderableType]:
        summary = self.summary
        yield _verdict(summary)
        yield techniques(summary, width)
        if any(technique.test for technique in summary.techniques):
            yield intervals(summary, width)
        if summary.verdict.comparisons:
            yield differences(summary)
        if summary.settings.space == load_preset("post").space.as_dict():
            yield beside_the_post(summary)
        if summary.ranked:
            yield leaderboard(summary, self.top)
        facts = Table.grid(padding=(0, 2))
        for label, value in _facts(summary):
            facts.add_row(Text(label, style="bold"), Text(value, overflow="fold"))
        yield facts


def _verdict(summary: Summary) -> Panel:
    verdict = summary.verdict
    lines: list[RenderableType] = [Text(verdict.reason)]
    best = next((t.best for t in summary.techniques if t.technique is verdict.recommended and t.best), None)
    if best is not None:
        lines.append(Text(f"The best recipe of {best.recipe.technique}: {in_words(best.recipe)}."))
    if summary.is_demonstration:
        lines.append(Text(DEMONSTRATION))
    if step := _next_step(summary):
        lines += [Text(), Text(step, style="dim")]
    colour = _COLOURS[verdict.decision]
    return Panel(
        Group(*lines),
        title=Text(headline(summary), style=f"bold {colour}"),
        title_align="left",
        border_style=colour,
        padding=(1, 2),
    )


def _next_step(summary: Summary) -> str:
    """What would tell more; empty where the verdict's reason has said so."""
    if summary.running:
        trials = count(len(summary.running), "trial")
        return f"{trials} still running, or cut off by a kill: the same run command goes on."
    if not summary.ranked:
        return "No trial has completed: see below why, or run the same command again to go on."
    return {
        "win": "To check it once more: the same run command with another --seed and another --study.",
        "tie": "To look closer: more test images, or more training seeds, such as --confirm 5.",
        "insufficient": "",
    }[summary.verdict.decision]


def _facts(summary: Summary) -> Iterator[tuple[str, str]]:
    """What else there is to know, each with its label."""
    data, settings = summary.settings.data, summary.settings
    classes = [literal(name) for name in data.classes[:SHOWN_CLASSES]]
    if len(data.classes) > SHOWN_CLASSES:
        classes.append(f"{len(data.classes) - SHOWN_CLASSES} more")
    yield (
        "Data",
        f"{literal(data.path)}: {data.train:,} training, {data.val:,} validation and {data.test:,} test images in "
        f"{count(len(data.classes), 'class')} ({listed(classes)})",
    )
    if data.skipped:
        named = [f"{literal(file.path)} ({literal(file.reason)})" for file in data.skipped[:SHOWN]]
        yield f"Skipped files ({len(data.skipped)})", _and_more(named, len(data.skipped))
    yield "Rule of thumb", rule_of_thumb(summary)
    if summary.untried:
        yield "Not tried", f"{listed(summary.untried)}; more --trials would get to it"
    failures = summary.failures
    if failures:
        named = [f"{t.number} ({describe(t.recipe, technique=True)}: {literal(t.error)})" for t in failures[:SHOWN]]
        yield f"Failed trials ({len(failures)})", _and_more(named, len(failures))
    if kept := kept_bytes(summary.path):
        yield "Models", f"the best of each technique is kept, {kept / 1e6:.1f} MB in all; `tlsearch export` takes one out"
    yield "Time", time_spent(summary)
    named_weights = settings.weights in ("imagenet", "starter", "random")
    weights = f"{settings.weights} weights" if named_weights else f"weights of {literal(Path(settings.weights).name)}"
    yield (
        "Search",
        f"{settings.engine} ({settings.algorithm}), seed {settings.seed}; MobileNetV2 with α = {settings.alpha:g}, "
        f"{settings.size} px images, {weights}",
    )


def _and_more(named: list[str], total: int) -> str:
    more = f"; and {total - len(named)} more" if total > len(named) else ""
    return "; ".join(named) + more
