"""A chart with the words and the table that say the same, and what all charts are drawn with.

Charts are Vega-Lite specifications, drawn in the browser as SVG. Their colours are the page's own variables, so that they
follow it from light to dark without being drawn again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from ...search.trial import Metric
from ...spaces.recipe import Technique
from ..text import literal, metric_name

Spec = dict[str, Any]

COLOURS: MappingProxyType[str, str] = MappingProxyType({str(technique): f"var(--{technique})" for technique in Technique})
SHAPES: MappingProxyType[str, str] = MappingProxyType(
    {Technique.FROZEN: "circle", Technique.FINE_TUNE: "square", Technique.FULL: "triangle-up"}
)
"""Of the techniques, for those who cannot tell the colours apart."""

MOST_LINES = 150
"""Trials that are drawn as lines, the best ones: more can neither be told apart nor kept in a small page."""

MOST_POINTS = 1000
"""Trials that are drawn as points or bars: 0.2 MB a chart."""

MOST_EPOCHS = 40
"""Points of a curve; of a longer one every second, third … is drawn."""

_SETTINGS = {"fine_tune_at": "from layer", "learning_rate": "learning rate", "head_layers": "hidden layers",
             "head_units": "hidden units", "batch_size": "batch size"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table.

    Attributes:
        columns: Headings; one that begins with ``#`` is that of a column of numbers.
        rows: Cells, as they are to be read.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart.

    Attributes:
        name: Unique on the page.
        title: What is asked.
        note: How it is to be read.
        words: What it shows, for those who cannot see it.
        spec: Vega-Lite.
        sheet: The same numbers.
    """

    name: str
    title: str
    note: str
    words: str
    spec: Spec
    sheet: Sheet


def chart(rows: Sequence[Mapping[str, Any]], layers: Sequence[Spec], *, height: int, names: Sequence[str] = ()) -> Spec:
    """A specification of layers over one table, as wide as the page lets it be.

    Args:
        rows: The data.
        layers: Marks and their encodings.
        height: Pixels.
        names: What axes may call by number: names that come from the user's files.
    """
    params: list[Spec] = [{"name": "shown", "value": [str(technique) for technique in Technique]}]
    if names:
        params.append({"name": "names", "value": [literal(name) for name in names]})
    return {
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "data": {"values": list(rows)},
        "params": params,
        "layer": list(layers),
    }


SHOWN: Spec = {"filter": "indexof(shown, datum.technique) >= 0"}
"""Leaves out the techniques that the page's own boxes switch off."""


def colour() -> Spec:
    """By technique; the page has one legend for all charts."""
    return {
        "field": "technique",
        "type": "nominal",
        "scale": {"domain": list(COLOURS), "range": list(COLOURS.values())},
        "legend": None,
    }


def shape() -> Spec:
    """By technique."""
    return {
        "field": "technique",
        "type": "nominal",
        "scale": {"domain": list(COLOURS), "range": [SHAPES[Technique(name)] for name in COLOURS]},
        "legend": None,
    }


def scores(field: str, metric: Metric, title: str) -> Spec:
    """A position by the study's metric."""
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"zero": False, "nice": True},
        "axis": {"format": ".2f" if metric == "log_loss" else "~%", "tickCount": 5},
    }


def logarithmic(field: str, title: str, format_: str, ticks: int) -> Spec:
    """A position on a logarithmic scale; ``format_`` is D3's, and ``ticks`` about how many are labelled."""
    return {
        "field": field,
        "type": "quantitative",
        "title": f"{title} (logarithmic)",
        "scale": {"type": "log", "nice": False, "padding": 16},
        "axis": {"format": format_, "tickCount": ticks, "grid": False},
    }


def validation(metric: Metric) -> str:
    """What a score of the search is called."""
    return f"validation {metric_name(metric)}"


def tooltip(*fields: str) -> list[Spec]:
    """What is said of a mark under the pointer: columns of the data that hold text."""
    return [{"field": field, "type": "nominal", "title": field.replace("_", " ")} for field in fields]


def setting(name: str) -> str:
    """What a recipe's field is called."""
    return _SETTINGS.get(name, name)
