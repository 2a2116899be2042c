"""The tables and drawings of the terminal's report, each a value that renders itself."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ...search.selection import maximized
from ...search.trial import Measurement
from ...spaces.presets import POST_ACCURACY
from ...spaces.recipe import Technique
from ..text import count, describe, duration, gap, gap_number, in_words, metric_name, percent, score

if TYPE_CHECKING:
    # Live progress draws with this module's colours before a search has loaded what reads a study.
    from ..answer.summary import Summary, TechniqueSummary, TestScore
    from ..answer.verdict import Comparison

COLOURS = {Technique.FROZEN: "cyan", Technique.FINE_TUNE: "magenta", Technique.FULL: "yellow"}
"""Of the techniques, in every report; all three are readable on dark and on light grounds."""

WIDE = 110
"""Columns from which the table of techniques has room for curves and recipes."""

PLAIN_WIDTH = 120
"""Columns of the terminal's report in a file: wide enough for its tables at their best."""

NOTHING = "–"
"""In a cell whose value is not known."""

_SPARKS = "▁▂▃▄▅▆▇█"
_MOST_BARS = 16


def techniques(summary: Summary, width: int) -> RenderableType:
    """What each technique got and gave; where there is little room, the recipes stand below."""
    wide, metric = width >= WIDE, summary.settings.metric
    table = plain_table()
    table.add_column("technique", no_wrap=True)
    table.add_column("trials", justify="right")
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column(f"validation\n{metric_name(metric)}", justify="right")
    table.add_column(f"test {metric_name(metric)}\n(95% interval)", justify="right", no_wrap=True)
    table.add_column("trained\nparameters", justify="right")
    if wide:
        table.add_column("validation\nby epoch", no_wrap=True)
        table.add_column("best recipe")
    for technique in summary.techniques:
        best = technique.best
        cells: list[RenderableType] = [
            colored(technique.technique),
            _counts(technique),
            duration(technique.seconds) if technique.trials else NOTHING,
            score(best.score, metric) if best else NOTHING,
            _test(technique.test, metric),
            _cost(summary, technique),
        ]
        if wide:
            cells += [sparkline(best.curve, metric) if best else "", _recipe(technique)]
        table.add_row(*cells)
    parts: list[RenderableType] = [heading("Techniques", "each with its best trial", metric), indented(table)]
    if summary.pareto_seconds or summary.pareto_params:
        mark = "◆ on the Pareto front by time, by parameters or by both: no other technique has a better test score for less"
        parts.append(indented(Text(mark, style="dim")))
    if not wide:
        parts += [Text(), indented(_recipes(summary.techniques, metric))]
    return Group(*parts)


def intervals(summary: Summary, width: int) -> RenderableType:
    """The test scores with their intervals, drawn to one scale."""
    metric = summary.settings.metric
    tested = [(technique.technique, technique.test) for technique in summary.techniques if technique.test]
    low = min(test.ci95[0] for _, test in tested)
    high = max(test.ci95[1] for _, test in tested)
    cells = max(16, min(60, width - 24))

    def place(value: float) -> int:
        # A percentile interval may lie beside the score by a hair.
        return min(max(round((value - low) / max(high - low, 1e-9) * (cells - 1)), 0), cells - 1)

    rows = Table.grid(padding=(0, 1))
    for technique, test in tested:
        first, last = (place(bound) for bound in test.ci95)
        line = [*(" " * first), *("─" * (last - first + 1)), *(" " * (cells - 1 - last))]
        line[place(test.mean)] = "●"
        rows.add_row(colored(technique), Text("".join(line), style=COLOURS[technique]), score(test.mean, metric))
    scale = score(low, metric) + score(high, metric).rjust(cells - len(score(low, metric)))
    rows.add_row("", Text(scale, style="dim"), "")
    title = heading(f"Test {metric_name(metric)}", "mean over seeds and 95% interval, over images and seeds", metric)
    return Group(title, indented(rows))


def differences(summary: Summary) -> RenderableType:
    """Every pair of techniques."""
    metric = summary.settings.metric
    table = plain_table()
    table.add_column("better")
    table.add_column("worse")
    table.add_column("by", justify="right")
    table.add_column("95% interval", justify="right")
    table.add_column("p", justify="right")
    table.add_column("finding")
    for comparison in summary.verdict.comparisons:
        table.add_row(*_difference(comparison if comparison.difference >= 0 else comparison.flipped(), metric))
    return Group(heading("Differences on the test split", "p adjusted for all comparisons (Holm)"), indented(table))


def beside_the_post(summary: Summary) -> RenderableType:
    """The validation accuracies that the blog post got, beside those of this study."""
    table = plain_table()
    table.add_column("technique", no_wrap=True)
    table.add_column("the post", justify="right")
    table.add_column("here", justify="right")
    table.add_column("difference", justify="right")
    for technique in summary.techniques:
        there = POST_ACCURACY.get(technique.technique)
        here = technique.best.val_accuracy if technique.best else None
        table.add_row(
            colored(technique.technique),
            NOTHING if there is None else percent(there),
            NOTHING if here is None else percent(here),
            NOTHING if here is None or there is None else gap(here - there, "accuracy"),
        )
    return Group(
        heading("Validation accuracy beside the blog post's", "the post: cats against dogs, 2,000 training images"),
        indented(table),
    )


def leaderboard(summary: Summary, top: int) -> RenderableType:
    """The best trials of all techniques."""
    metric, shown = summary.settings.metric, summary.ranked[:top]
    table = plain_table()
    table.add_column("trial", justify="right")
    table.add_column("technique", no_wrap=True)
    table.add_column(metric_name(metric), justify="right")
    table.add_column("epoch", justify="right", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("recipe")
    for trial in shown:
        table.add_row(
            str(trial.number),
            colored(trial.recipe.technique),
            score(trial.score, metric),
            f"{trial.best_epoch} of {max((m.epoch for m in trial.curve), default=trial.best_epoch)}",
            duration(trial.seconds),
            describe(trial.recipe),
        )
    title = f"Best {len(shown)} of {count(len(summary.ranked), 'complete trial')}"
    return Group(heading(title, f"by validation {metric_name(metric)}", metric), indented(table))


def plain(report: RenderableType) -> str:
    """What a terminal would show, without its colours, for a file."""
    out = io.StringIO()
    Console(file=out, width=PLAIN_WIDTH, color_system=None, force_terminal=False, legacy_windows=False).print(report)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def stacked(parts: Iterable[RenderableType]) -> Iterator[RenderableType]:
    """The parts of a report one below the other, with an empty line between them."""
    for number, part in enumerate(parts):
        if number:
            yield Text()
        yield part


def heading(title: str, note: str = "", metric: str = "") -> Text:
    """The title of a part."""
    notes = [note] if note else []
    if metric and (unit := _unit(metric)):
        notes.append(unit)
    return Text.assemble((title, "bold"), (f"  {'; '.join(notes)}" if any(notes) else "", "dim"))


def sparkline(curve: Sequence[Measurement], metric: str) -> str:
    """The score by epoch as a row of bars, from the curve's worst to its best; an epoch without a score leaves a gap."""
    every = math.ceil(len(curve) / _MOST_BARS)
    thinned = list(curve)[::-every][::-1] if curve else []
    return sparks([m.score if maximized(metric) else -m.score for m in thinned])  # type: ignore[arg-type]


def sparks(values: Sequence[float]) -> str:
    """Values as a row of bars, from the lowest to the highest; what is no number leaves a gap."""
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    return "".join(_bar(value, low, high) for value in values)


def _bar(value: float, low: float, high: float) -> str:
    if not math.isfinite(value):
        return " "
    if high <= low:
        return _SPARKS[len(_SPARKS) // 2]
    return _SPARKS[min(int((value - low) / (high - low) * len(_SPARKS)), len(_SPARKS) - 1)]


def plain_table() -> Table:
    """As all tables are."""
    return Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, header_style="")


def indented(part: RenderableType) -> Padding:
    """Below its heading."""
    return Padding(part, (0, 0, 0, 2))


def _unit(metric: str) -> str:
    return "log loss in nats, less is better" if metric == "log_loss" else ""


def colored(technique: Technique) -> Text:
    """A technique's name in its colour."""
    return Text(technique, style=COLOURS[technique])


def _counts(technique: TechniqueSummary) -> str:
    notes = [f"{number} {word}" for number, word in ((technique.failed, "failed"), (technique.pruned, "pruned")) if number]
    return "\n".join([str(len(technique.trials)), *notes])


def _test(test: TestScore | None, metric: str) -> str:
    if test is None:
        return NOTHING
    low, high = (score(bound, metric) for bound in test.ci95)
    return f"{score(test.mean, metric)}\n({low} to {high})"


def _cost(summary: Summary, technique: TechniqueSummary) -> str:
    """The trained parameters; below them, what the technique is on the Pareto front of."""
    if technique.best is None:
        return NOTHING
    fronts = (("time", summary.pareto_seconds), ("parameters", summary.pareto_params))
    on = [name for name, front in fronts if technique.technique in front]
    mark = [f"◆ {on[0] if len(on) == 1 else 'both'}"] if on else []
    return "\n".join([f"{technique.best.trainable_params:,}", *mark])


def _recipe(technique: TechniqueSummary) -> str:
    if technique.best is not None:
        return describe(technique.best.recipe)
    return "no trial completed" if technique.trials else "not tried"


def _recipes(rows: Sequence[TechniqueSummary], metric: str) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    for technique in rows:
        best = technique.best
        words = in_words(best.recipe) if best else _recipe(technique)
        grid.add_row(colored(technique.technique), sparkline(best.curve, metric) if best else "", words)
    return grid


def _difference(comparison: Comparison, metric: str) -> Iterator[RenderableType]:
    low, high = comparison.ci95
    yield colored(comparison.a)
    yield colored(comparison.b)
    yield gap(comparison.difference, metric)
    yield f"{gap_number(low, metric)} to {gap_number(high, metric)}"
    yield "< 0.001" if comparison.p < 0.001 else f"{comparison.p:.3f}"
    yield "real" if comparison.real else "may be luck"
