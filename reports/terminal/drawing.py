"""What every report on a terminal is drawn with: headings, tables, panels, rows of bars."""

from __future__ import annotations

import io
import math
from collections.abc import Collection, Iterable, Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ...search.selection import maximized
from ...search.trial import Measurement, Metric
from ...spaces.recipe import Technique
from ..text import thinned

COLOURS = {Technique.FROZEN: "cyan", Technique.FINE_TUNE: "magenta", Technique.FULL: "yellow"}
"""Of the techniques, in every report; all three are readable on dark and on light grounds."""

PLAIN_WIDTH = 120
"""Columns of the terminal's report in a file: wide enough for its tables at their best."""

_SPARKS = "▁▂▃▄▅▆▇█"
_MOST_BARS = 16


def plain(report: RenderableType) -> str:
    """What a terminal would show, without its colours, for a file."""
    out = io.StringIO()
    Console(file=out, width=PLAIN_WIDTH, color_system=None, force_terminal=False, legacy_windows=False).print(report)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


class Stacked:
    """A report whose parts stand one below the other, with an empty line between them."""

    def parts(self, width: int) -> Iterator[RenderableType]:
        """The parts, for a terminal of so many columns."""
        raise NotImplementedError

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for number, part in enumerate(self.parts(options.max_width)):
            if number:
                yield Text()
            yield part


def titled(title: str, body: RenderableType, note: str = "", metric: str = "") -> Group:
    """A part of a report below its heading, two columns to the right of it."""
    return Group(heading(title, note, metric), indented(body))


def heading(title: str, note: str = "", metric: str = "") -> Text:
    """The title of a part, and in short how it is to be read."""
    notes = [note] if note else []
    if metric == "log_loss":
        notes.append("log loss in nats, less is better")
    return Text.assemble((title, "bold"), (f"  {'; '.join(notes)}" if notes else "", "dim"))


def sparkline(curve: Sequence[Measurement], metric: Metric) -> str:
    """The score by epoch as a row of bars, from the curve's worst to its best; an epoch without a finite score leaves a gap."""
    return sparks([m.score if maximized(metric) else -m.score for m in thinned(curve, _MOST_BARS)])


def sparks(values: Sequence[float]) -> str:
    """Values as a row of bars, from the lowest to the highest; what is not finite leaves a gap."""
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    return "".join(_bar(value, low, high) for value in values)


def _bar(value: float, low: float, high: float) -> str:
    if not math.isfinite(value):
        return " "
    if high <= low:
        return _SPARKS[len(_SPARKS) // 2]
    return _SPARKS[min(int((value - low) / (high - low) * len(_SPARKS)), len(_SPARKS) - 1)]


def plain_table(*headings: str, no_wrap: Collection[str] = (), fold: Collection[str] = ()) -> Table:
    """A table in the style of all reports.

    Args:
        *headings: Headings of the columns; ``#`` in front of one marks a column of numbers.
        no_wrap: Headings of the columns whose cells are never wrapped.
        fold: Headings of the columns where a word that is too long is broken, not cut off.
    """
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True, header_style="")
    for heading in headings:
        name = heading.removeprefix("#")
        table.add_column(
            name,
            justify="left" if name == heading else "right",
            no_wrap=name in no_wrap,
            overflow="fold" if name in fold else "ellipsis",
        )
    return table


def facts_grid(facts: Iterable[tuple[str, str]]) -> Table:
    """Facts below each other, each beside its label."""
    rows = Table.grid(padding=(0, 2))
    for label, value in facts:
        rows.add_row(Text(label, style="bold"), Text(value, overflow="fold"))
    return rows


def panel(title: str, lines: Iterable[RenderableType], colour: str, width: int | None = None) -> Panel:
    """The frame around what is said first."""
    named = Text(title, style=f"bold {colour}")
    return Panel(Group(*lines), title=named, title_align="left", border_style=colour, padding=(1, 2), width=width)


def indented(part: RenderableType) -> Padding:
    """A part of a report, two columns to the right of its heading."""
    return Padding(part, (0, 0, 0, 2))


def colored(technique: Technique) -> Text:
    """A technique's name in its colour."""
    return Text(technique, style=COLOURS[technique])
