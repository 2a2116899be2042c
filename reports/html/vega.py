"""The pieces that all charts are made of, as Vega-Lite has them.

The browser draws the charts as SVG. Their colours are CSS variables of the page, so they change between light and dark without
being drawn again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...search.trial import Metric
from ...spaces.recipe import Technique
from ..text import literal

Spec = dict[str, Any]

SHOWN = "indexof(shown, datum.technique) >= 0"
"""True of the techniques that the page's checkboxes have not switched off."""


def chart(rows: Sequence[Spec], layers: Sequence[Spec], *, height: int, names: Sequence[str] = ()) -> Spec:
    """The specification of a chart that is as wide as its place on the page.

    Args:
        rows: The data.
        layers: As `layer` makes them, the lowest first.
        height: In pixels.
        names: Labels of an axis whose data are their indices. So names from the user's files stay out of the data.
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


def layer(kind: str, encoding: Spec, *, rows: Sequence[Spec] | None = None, only: str = "", **mark: Any) -> Spec:
    """One kind of mark and how it is placed.

    Args:
        kind: Vega-Lite's name of the mark.
        encoding: What the mark's position, colour and so on show.
        rows: Data of its own; None for the chart's.
        only: Expression that is true of the rows to draw; empty for all.
        **mark: Properties that are the same for every row.
    """
    made: Spec = {"mark": {"type": kind, **mark}, "encoding": encoding}
    if rows is not None:
        made["data"] = {"values": list(rows)}
    if only:
        made["transform"] = [{"filter": only}]
    return made


def encode(field: str, kind: str = "quantitative", **options: Any) -> Spec:
    """An encoding of a column of the data, with options of Vega-Lite."""
    return {"field": field, "type": kind, **options}


def where(test: str, value: Any, otherwise: Any) -> Spec:
    """An encoding with one value where an expression is true and another elsewhere."""
    return {"condition": {"test": test, "value": value}, "value": otherwise}


def _by_technique(values: Sequence[str]) -> Spec:
    return encode("technique", "nominal", scale={"domain": list(map(str, Technique)), "range": list(values)}, legend=None)


# The page has one legend for all charts.
COLOUR = _by_technique([f"var(--{technique})" for technique in Technique])
SHAPE = _by_technique(["circle", "square", "triangle-up"])
"""In the order of `Technique`, for those who cannot tell the colours apart."""

BARE: Spec = {"domain": False, "ticks": False}
"""Of an axis that shows labels only."""


def class_axis(label_limit: int) -> Spec:
    """An axis of classes, whose names are those of `chart`; labels are cut at ``label_limit`` pixels."""
    return {**BARE, "labelExpr": "names[datum.value]", "labelLimit": label_limit, "labelOverlap": True}


def scores(field: str, metric: Metric, title: str) -> Spec:
    """A position by the study's metric."""
    axis = {"format": ".2f" if metric == "log_loss" else "~%", "tickCount": 5}
    return encode(field, title=title, scale={"zero": False, "nice": True}, axis=axis)


def logarithmic(field: str, title: str, format_: str, ticks: int) -> Spec:
    """A position on a logarithmic scale; ``format_`` is D3's, and about ``ticks`` of its ticks have labels."""
    scale = {"type": "log", "nice": False, "padding": 16}
    return encode(
        field, title=f"{title} (logarithmic)", scale=scale, axis={"format": format_, "tickCount": ticks, "grid": False}
    )


def tooltip(*fields: str) -> list[Spec]:
    """What is shown when the pointer is on a mark: columns that hold text."""
    return [encode(field, "nominal", title=field.replace("_", " ")) for field in fields]
