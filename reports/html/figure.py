"""A chart together with a text and a table that say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...search.trial import Metric
from ..text import metric_name
from .vega import Spec

MOST_LINES = 150
"""At most so many trials are drawn as lines, the best ones: more could not be told apart and would make the page large."""

MOST_POINTS = 1000
"""At most so many trials are drawn as points or bars: 0.2 MB a chart."""

MOST_EPOCHS = 40
"""At most so many points of a curve are drawn: of a longer one every second, every third and so on."""

_SETTINGS = {"fine_tune_at": "from layer", "learning_rate": "learning rate", "head_layers": "hidden layers",
             "head_units": "hidden units", "batch_size": "batch size"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table.

    Attributes:
        columns: Headings; ``#`` in front of one marks a column of numbers.
        rows: Cells, ready to be shown.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart.

    Attributes:
        name: Unique on the page.
        title: The question that it answers.
        note: How to read it.
        words: What it shows, for those who cannot see it.
        spec: In Vega-Lite.
        sheet: The same numbers as a table.
    """

    name: str
    title: str
    note: str
    words: str
    spec: Spec
    sheet: Sheet


def validation(metric: Metric) -> str:
    """What a score of the search is called."""
    return f"validation {metric_name(metric)}"


def setting(name: str) -> str:
    """What a recipe's field is called."""
    return _SETTINGS.get(name, name)
