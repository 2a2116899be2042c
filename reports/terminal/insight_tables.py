"""What a terminal shows beyond the verdict: the depth profile, the classes that are recognised least."""

from __future__ import annotations

import math

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ...search.depth_profile import DepthProfile
from ..answer.insight import Confusion
from ..text import literal, percent
from ..words.cells import NOTHING, recall
from .drawing import plain_table, sparks, titled

_BAR = 30

_EIGHTHS = " ▏▎▍▌▋▊▉"

MOST_CLASSES = 10
"""Classes whose recall is shown, those with the lowest."""


def depth_profile(profile: DepthProfile) -> RenderableType:
    """How well frozen features tell the classes apart, block by block, as bars from 0 to 100%."""
    best = profile.peak
    rows = Table.grid(padding=(0, 1))
    rows.add_column(no_wrap=True)
    rows.add_column(justify="right")
    for point in profile.points:
        style = "bold green" if point is best else "cyan"
        rows.add_row(
            literal(point.block),
            Text(str(point.layer), style="dim"),
            Text(bar(point.knn_accuracy, _BAR), style=style),
            Text(percent(point.knn_accuracy), style=style if point is best else ""),
        )
    note = "nearest-neighbour accuracy of frozen features at each block, by its last layer"
    return titled("Depth profile", rows, note)


def depth_line(profile: DepthProfile) -> RenderableType:
    """The same in one line, from the lowest to the highest."""
    points, best = profile.points, profile.peak
    first = f"{percent(points[0].knn_accuracy)} at {literal(points[0].block)}"
    line = Text.assemble(
        (sparks([point.knn_accuracy for point in points]), "cyan"),
        f"  {first}, highest at {literal(best.block)} (layer {best.layer}) with {percent(best.knn_accuracy)}",
    )
    return titled("Depth profile", line, "nearest-neighbour accuracy of frozen features, block by block")


def recall_table(found: Confusion, classes: tuple[str, ...]) -> RenderableType:
    """The classes with the lowest recall, and what they are taken for."""
    rated = [place for place, share in enumerate(found.recall) if not math.isnan(share)]
    worst = sorted(rated, key=lambda place: (found.recall[place], place))[:MOST_CLASSES]
    headings = "class", "#recall", "#right", "most often taken for"
    table = plain_table(*headings, no_wrap=["right"], fold=("class", "most often taken for"))
    for place in worst:
        row = found.matrix[place]
        others = sorted((n for n in range(len(row)) if n != place and row[n]), key=lambda n: (-row[n], n))
        taken = f"{literal(classes[others[0]])} ({row[others[0]]:,} times)" if others else NOTHING
        right = f"{row[place]:,} of {sum(row):,}"
        table.add_row(Text(literal(classes[place])), recall(found.recall[place]), right, Text(taken))
    shown = f", the {len(worst)} lowest of {len(found.recall):,}" if len(worst) < len(found.recall) else ""
    return titled("Recall by class", table, f"of the recommended technique, over all of its test predictions{shown}")


def bar(share: float, cells: int) -> str:
    """A share from 0 to 1 as a bar of at most so many cells."""
    full, rest = divmod(round(min(max(share, 0), 1) * cells * 8), 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")
