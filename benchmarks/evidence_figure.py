"""The figure of ``docs/evidence.md``: gaps over ``frozen`` by the training images a class, from ``docs/evidence.json``.

    python benchmarks/evidence_figure.py

It writes ``docs/evidence.svg``, for light pages and dark ones.
"""

from __future__ import annotations

import json
import re
from typing import Any

from evidence import EVIDENCE
from evidence_tables import NARROW, TECHNIQUES, gaps_of, per_class

FIGURE = EVIDENCE.with_name("evidence.svg")
LABELS = ("similar", "different", "uncertain")

_MOST = 0.4
"""Where intervals are cut off."""

_INK, _QUIET, _GRID = "#1f2328", "#8c959f", "#d1d9e0"
_DARK = {
    "#0969da": "#58a6ff",
    "#bc4c00": "#f0883e",
    "#6e7781": "#b1bac4",
    _INK: "#e6edf3",
    _QUIET: "#768390",
    _GRID: "#3d444d",
}
"""Colours, and what they are where the page is dark; first those of `LABELS`."""


def main() -> None:
    """Writes the figure."""
    import vl_convert

    cells = [cell for cell in json.loads(EVIDENCE.read_text()) if cell["alpha"] == NARROW]
    sets = sorted({cell["set"] for cell in cells})
    # Cells of one size lie beside each other.
    apart = {name: 1.025 ** (place - len(sets) / 2) for place, name in enumerate(sets)}
    points = [
        {
            "set": cell["set"],
            "images": per_class(cell) * apart[cell["set"]],
            "similarity": cell["similarity"],
            "of": technique,
            "gap": gap,
            "low": max(low, -_MOST),
            "high": min(high, _MOST),
        }
        for cell in cells
        for technique, (gap, low, high) in zip(TECHNIQUES[1:], gaps_of(cell), strict=True)
    ]
    numbers = {"type": "quantitative"}
    x = {**numbers, "field": "images", "scale": {"type": "log", "domain": [4, 1024]}, "title": "training images a class"}
    x["axis"] = {"values": [2**power for power in range(2, 11)]}
    y = {**numbers, "field": "gap", "scale": {"domain": [-_MOST, _MOST]}, "title": "test accuracy above frozen"}
    y["axis"] = {"format": "+%"}
    similarity = {"field": "similarity", "type": "nominal", "sort": LABELS, "title": "to the weights' pictures"}
    colour = {**similarity, "scale": {"domain": LABELS, "range": list(_DARK)[:3]}}
    shape = {**similarity, "scale": {"domain": LABELS, "range": ["circle", "triangle-up", "square"]}}

    def panel(technique: str) -> dict[str, Any]:
        interval = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}, "color": colour}
        path = {"x": x, "y": y, "detail": {"field": "set"}}
        return {
            "title": technique,
            "width": 330,
            "height": 300,
            "data": {"values": [point for point in points if point["of"] == technique]},
            "layer": [
                {"mark": {"type": "rule", "color": _INK}, "encoding": {"y": {"datum": 0}}},
                {"mark": {"type": "line", "strokeWidth": 1, "opacity": 0.5, "color": _QUIET}, "encoding": path},
                {"mark": {"type": "rule", "opacity": 0.5}, "encoding": interval},
                {
                    "mark": {"type": "point", "filled": True, "size": 55, "opacity": 1},
                    "encoding": {"x": x, "y": y, "color": colour, "shape": shape},
                },
            ],
        }

    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "padding": 10,
        "resolve": {"scale": {"y": "shared"}},
        "hconcat": [panel(technique) for technique in TECHNIQUES[1:]],
        "config": {
            "axis": {"labelColor": _INK, "titleColor": _INK, "gridColor": _GRID, "domainColor": _QUIET, "tickColor": _QUIET},
            "legend": {
                "labelColor": _INK,
                "titleColor": _INK,
                "orient": "bottom",
                "direction": "horizontal",
                "symbolOpacity": 1,
            },
            "title": {"color": _INK},
            "view": {"stroke": _GRID},
        },
    }
    drawn = str(vl_convert.vegalite_to_svg(spec, vl_version="5.20"))
    dark = "".join(f'[fill="{light}"]{{fill:{other}}}[stroke="{light}"]{{stroke:{other}}}' for light, other in _DARK.items())
    style = f"<style>@media (prefers-color-scheme: dark){{{dark}}}</style>"
    FIGURE.write_text(re.sub(r"(<svg[^>]*>)", lambda head: head[1] + style, drawn, count=1) + "\n")


if __name__ == "__main__":
    main()
