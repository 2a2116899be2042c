"""The chart of parallel coordinates: one axis for each setting, one line for each trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ...spaces.recipe import LAYERS, Recipe, Technique
from ..answer.importance import SETTINGS
from ..answer.summary import Summary
from ..text import describe, metric_name, rate, score
from .figure import MOST_LINES, Figure, Sheet, setting, validation
from .vega import BARE, COLOUR, SHOWN, Spec, chart, encode, layer, tooltip


def parallel(summary: Summary) -> Figure | None:
    """The settings and scores of the complete trials; None where fewer than two settings vary."""
    metric = summary.settings.metric
    drawn = summary.ranked[:MOST_LINES]
    axes = [axis for axis in (_Axis(name, [t.recipe for t in drawn]) for name in SETTINGS) if axis.varies]
    if len(axes) < 2:
        return None
    values = [t.score for t in drawn]
    low, high = min(values), max(values)

    def reached(value: float) -> float:
        return (value - low) / (high - low) if high > low else 0.5

    rows: list[dict[str, Any]] = []
    result = len(axes)
    for t in drawn:
        common = {
            "technique": str(t.recipe.technique),
            "trial": t.number,
            "reading": f"trial {t.number}: {describe(t.recipe)}, {score(t.score, metric)}",
            "merit": reached(t.score) if metric != "log_loss" else 1 - reached(t.score),
        }
        rows += [{**common, "axis": number, "place": axis.place(axis.value(t.recipe))} for number, axis in enumerate(axes)]
        rows.append({**common, "axis": result, "place": reached(t.score)})
    marks = [{"axis": n, "place": place, "label": label} for n, axis in enumerate(axes) for place, label in axis.marks()]
    ends = {low: 0.0, high: 1.0} if high > low else {low: 0.5}
    marks += [{"axis": result, "place": place, "label": score(value, metric)} for value, place in ends.items()]
    names = [*(axis.title for axis in axes), metric_name(metric)]
    header = {**BARE, "labelExpr": "split(names[datum.value], ' ')", "labelAngle": 0, "orient": "top", "labelFontWeight": 600,
              "labelFontSize": 11, "labelColor": "var(--ink)", "labelBaseline": "bottom", "labelPadding": 14}  # fmt: skip
    x = encode("axis", "ordinal", title=None, scale={"type": "point", "padding": 0.35}, axis=header)
    y = encode("place", axis=None, scale={"domain": [-0.04, 1.04], "nice": False})
    line = {
        "x": x,
        "y": y,
        "detail": {"field": "trial"},
        "color": COLOUR,
        "opacity": encode("merit", scale={"domain": [0, 1], "range": [0.25, 0.95]}, legend=None),
        "strokeWidth": encode("merit", scale={"domain": [0, 1], "range": [1, 3]}, legend=None),
        "tooltip": tooltip("technique", "reading"),
    }
    verticals = [{"axis": number, "low": 0, "high": 1} for number in range(len(names))]
    vertical = {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}}
    label = {"x": x, "y": y, "text": {"field": "label"}}
    style: Spec = {"align": "left", "dx": 5, "fontSize": 11, "color": "var(--ink)"}
    halo: Spec = {"stroke": "var(--card)", "strokeWidth": 3, "strokeJoin": "round"}
    layers = [
        layer("rule", vertical, rows=verticals, color="var(--line)", strokeWidth=2),
        layer("line", line, only=SHOWN, interpolate="monotone"),
        layer("text", label, rows=marks, **style, **halo),
        layer("text", label, rows=marks, **style),
    ]
    best = drawn[0]
    return Figure(
        "parallel",
        "Which settings go together?",
        "Each line is a complete trial, from setting to setting to its score. The better the trial, the stronger its line.",
        f"The best trial is {best.number}: {describe(best.recipe, technique=True)}, with {score(best.score, metric)}.",
        chart(rows, layers, height=320, names=names),
        Sheet(
            ("#trial", "technique", *(f"#{axis.title}" for axis in axes), f"#{validation(metric)}"),
            [
                (
                    str(t.number),
                    str(t.recipe.technique),
                    *(axis.label(axis.value(t.recipe)) for axis in axes),
                    score(t.score, metric),
                )
                for t in drawn
            ],
        ),
    )


class _Axis:
    """The axis of one setting; positions on it go from 0 to 1.

    Args:
        name: Name of the setting's field in `Recipe`.
        recipes: Recipes of the trials that are drawn.
    """

    def __init__(self, name: str, recipes: Sequence[Recipe]) -> None:
        self._name = name
        self.title = setting(name)
        self._values = sorted({self.value(recipe) for recipe in recipes})

    @property
    def varies(self) -> bool:
        """Whether the trials differ in the setting."""
        return len(self._values) > 1

    def value(self, recipe: Recipe) -> Any:
        """The setting of a recipe. As ``fine_tune_at`` every technique has a number: the first layer that it trains."""
        if self._name == "fine_tune_at":
            return {Technique.FROZEN: LAYERS, Technique.FULL: 0}.get(recipe.technique, recipe.fine_tune_at)
        return getattr(recipe, self._name)

    def label(self, value: Any) -> str:
        """The text of a value."""
        if self._name == "fine_tune_at":
            return {LAYERS: "head only", 0: "all"}.get(value, str(value))
        return rate(value) if self._name == "learning_rate" else f"{value:g}" if isinstance(value, float) else str(value)

    def place(self, value: Any) -> float:
        """Position of a value: learning rates by their logarithm, other settings by rank, so that close values stay apart."""
        low, high = self._values[0], self._values[-1]
        if self._name == "learning_rate":
            return math.log(value / low) / math.log(high / low)
        return self._values.index(value) / (len(self._values) - 1)

    def marks(self) -> list[tuple[float, str]]:
        """Positions with their labels: every value of a few, else the lowest, the middle and the highest."""
        values = self._values
        if self._name == "learning_rate":
            values = [values[0], values[-1]]
        elif len(values) > 7:
            values = [values[0], values[len(values) // 2], values[-1]]
        return [(self.place(value), self.label(value)) for value in values]
