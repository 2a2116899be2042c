"""The tables of a study's report on a terminal, each a value that renders itself."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...spaces.presets import POST_ACCURACY
from ..answer.summary import Summary
from ..text import count, describe, duration, gap, metric_name, percent, score
from ..words.cells import NOTHING, TechniqueCells, best_epoch, certainty, certainty_columns, differences, ranking, tested
from ..words.sentences import CERTAINTY, over
from .drawing import COLOURS, colored, heading, indented, plain_table, sparkline, titled

WIDE = 110
"""Columns from which the table of techniques has room for curves and recipes."""


def techniques(summary: Summary, width: int) -> RenderableType:
    """What each technique got and gave; where there is little room, the recipes stand below."""
    wide, metric = width >= WIDE, summary.settings.metric
    tested_as = f"test {metric_name(metric)}\n(95% interval)"
    numbers = ["#trials", "#time", f"#validation\n{metric_name(metric)}", f"#{tested_as}", "#trained\nparameters"]
    beside = ["validation\nby epoch", "best recipe"] if wide else []
    table = plain_table("technique", *numbers, *beside, no_wrap=("technique", "time", tested_as, "validation\nby epoch"))
    recipes = Table.grid(padding=(0, 2))
    recipes.add_column(no_wrap=True)
    recipes.add_column(no_wrap=True)
    for one in summary.techniques:
        name, best, cells = colored(one.technique), one.best, TechniqueCells.of(one, summary)
        trials = "\n".join([cells.trials, *cells.outcomes])
        front = " and ".join(cells.fronts).replace("time and parameters", "both")
        parameters = f"{cells.parameters}\n◆ {front}" if front else cells.parameters
        curve = sparkline(best.curve, metric) if best else ""
        described = [curve, describe(best.recipe) if best else cells.recipe] if wide else []
        test = tested(one.test, metric, separator="\n")
        table.add_row(name, trials, cells.seconds, cells.validation, test, parameters, *described)
        recipes.add_row(name, curve, cells.recipe)
    parts: list[RenderableType] = [heading("Techniques", "each with its best trial", metric), indented(table)]
    if summary.pareto_seconds or summary.pareto_params:
        note = "◆ on the Pareto front by time, by parameters or by both: no other technique has a better test score for less"
        parts.append(indented(Text(note, style="dim")))
    if not wide:
        parts += [Text(), indented(recipes)]
    return Group(*parts)


def intervals(summary: Summary, width: int) -> RenderableType:
    """The test scores with their intervals, drawn to one scale."""
    metric, tests = summary.settings.metric, summary.tests
    low = min(test.ci95[0] for test in tests.values())
    high = max(test.ci95[1] for test in tests.values())
    cells = max(16, min(60, width - 24))

    def place(value: float) -> int:
        # A percentile interval may lie beside the score by a hair.
        return min(max(round((value - low) / max(high - low, 1e-9) * (cells - 1)), 0), cells - 1)

    rows = Table.grid(padding=(0, 1))
    for technique, test in tests.items():
        first, last = (place(bound) for bound in test.ci95)
        line = [*(" " * first), *("─" * (last - first + 1)), *(" " * (cells - 1 - last))]
        line[place(test.mean)] = "●"
        rows.add_row(colored(technique), Text("".join(line), style=COLOURS[technique]), score(test.mean, metric))
    scale = score(low, metric) + score(high, metric).rjust(cells - len(score(low, metric)))
    rows.add_row("", Text(scale, style="dim"), "")
    seeds = over(summary.settings.data)
    note = f"mean over {seeds} and 95% interval, over {'folds' if seeds == 'folds' else 'images and seeds'}"
    return titled(f"Test {metric_name(metric)}", rows, note, metric)


def certainty_table(summary: Summary) -> RenderableType:
    """How likely each technique is to be the best, and what taking it costs."""
    table = plain_table(*certainty_columns(summary))
    for technique, *cells in certainty(summary):
        table.add_row(colored(technique), *cells)
    return titled("How sure is that?", table, CERTAINTY)


def difference_table(summary: Summary) -> RenderableType:
    """Every pair of techniques."""
    table = plain_table("better", "worse", "#by", "#95% interval", "#p", "finding")
    for better, worse, *cells in differences(summary):
        table.add_row(colored(better), colored(worse), *cells)
    return titled("Differences on the test split", table, "p adjusted by Holm's method, the intervals not")


def beside_the_post(summary: Summary) -> RenderableType:
    """The validation accuracies that the blog post got, beside those of this study."""
    table = plain_table("technique", "#the post", "#here", "#difference", no_wrap=["technique"])
    for technique in summary.techniques:
        there = POST_ACCURACY.get(technique.technique)
        here = technique.best.val_accuracy if technique.best else None
        table.add_row(
            colored(technique.technique),
            NOTHING if there is None else percent(there),
            NOTHING if here is None else percent(here),
            NOTHING if here is None or there is None else gap(here - there, "accuracy"),
        )
    note = "the post: cats against dogs, 2,000 training images"
    return titled("Validation accuracy beside the blog post's", table, note)


def leaderboard(summary: Summary, top: int) -> RenderableType:
    """The best trials of all techniques."""
    metric, shown = summary.settings.metric, summary.ranked[:top]
    divided = summary.settings.data.folds > 1
    headings = ["#trial", *["#fold"] * divided, "technique", f"#{metric_name(metric)}", "#epoch", "#time", "recipe"]
    table = plain_table(*headings, no_wrap=("technique", "epoch", "time"))
    for trial in shown:
        table.add_row(
            str(trial.number),
            *[str(trial.fold + 1)] * divided,
            colored(trial.recipe.technique),
            score(trial.score, metric),
            best_epoch(trial),
            duration(trial.seconds),
            describe(trial.recipe),
        )
    title = f"Best {len(shown)} of {count(len(summary.ranked), 'complete trial')}"
    return titled(title, table, ranking(shown, metric), metric)
