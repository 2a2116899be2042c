"""Charts of what goes beyond the verdict: which classes are confused, at which depth the features tell classes apart."""

from __future__ import annotations

from typing import Any

from ..answer.insight import Confusion, Similarity
from ..text import listed, literal, percent
from ..words.cells import recall
from .figure import Figure, Sheet, Spec, chart, scores, tooltip

MOST_NUMBERED = 12
"""Classes up to which a confusion matrix has room for its numbers."""

MOST_CELLS = 5000
"""Of a confusion matrix, those with the largest shares of their true class: 0.6 MB."""

MOST_TABLED = 25
"""Classes up to which a confusion matrix makes a table that can be read."""


def confusion(found: Confusion, classes: tuple[str, ...]) -> Figure:
    """True classes against predicted ones."""
    totals = [sum(row) for row in found.matrix]
    few = len(classes) <= MOST_NUMBERED
    names = [literal(name) for name in classes]
    # A matrix of hundreds of classes is nearly all zeros, which need no mark.
    rows: list[dict[str, Any]] = [
        {
            "true": true,
            "predicted": predicted,
            "share": number / totals[true] if totals[true] else 0.0,
            "label": f"{number:,}",
            "reading": f"{names[true]} taken for {names[predicted]}: {number:,} of {totals[true]:,}",
        }
        for true, row in enumerate(found.matrix)
        for predicted, number in enumerate(row)
        if number or few
    ]
    rows = sorted(rows, key=lambda row: -row["share"])[:MOST_CELLS]
    axis = {"labelExpr": "names[datum.value]", "labelLimit": 110, "labelOverlap": True, "ticks": False, "domain": False}
    domain = list(range(len(classes)))
    y = {"field": "true", "type": "ordinal", "title": "true class", "scale": {"domain": domain}, "axis": axis}
    x = {
        "field": "predicted",
        "type": "ordinal",
        "title": "predicted class",
        "scale": {"domain": domain},
        "axis": {**axis, "labelAngle": 0 if len(classes) <= 4 else -60, "orient": "top"},
    }
    layers: list[Spec] = [
        {
            "mark": {"type": "rect", "color": "var(--accent)"},
            "encoding": {
                "x": x,
                "y": y,
                "fillOpacity": {"field": "share", "type": "quantitative", "scale": {"domain": [0, 1], "range": [0.06, 1]},
                                "legend": None},
                "tooltip": tooltip("reading"),
            },
        }
    ]  # fmt: skip
    if few:
        on_dark = {"condition": {"test": "datum.share > 0.55", "value": "var(--on-accent)"}, "value": "var(--ink)"}
        layers.append({"mark": {"type": "text", "fontSize": 13}, "encoding": {"x": x, "y": y, "text": {"field": "label"},
                                                                               "color": on_dark}})  # fmt: skip
    recalls = [
        (name, recall(share), f"{row[place]:,} of {total:,}")
        for place, (name, share, row, total) in enumerate(zip(names, found.recall, found.matrix, totals, strict=True))
    ]
    tabled = len(classes) <= MOST_TABLED
    columns = ["true class", "#recall", "#right", *(f"#as {name}" for name in names if tabled)]
    cells = [[*recalled, *(f"{n:,}" for n in row if tabled)] for recalled, row in zip(recalls, found.matrix, strict=True)]
    pairs = [f"{names[true]} for {names[predicted]} ({number:,} times)" for true, predicted, number in found.most_confused]
    return Figure(
        "confusion",
        "Which classes are taken for which?",
        "The recommended technique on the test split, summed over training seeds. Stronger: a larger share of the true class.",
        f"Most often taken for another: {listed(pairs)}." if pairs else "No test image is taken for another class.",
        chart(rows, layers, height=min(520, max(180, 44 * len(classes))), names=classes),
        Sheet(columns, cells),
    )


def depth(found: Similarity) -> Figure:
    """How far the features at each depth tell the classes apart."""
    rows = [
        {
            "layer": point.layer,
            "accuracy": point.knn_accuracy,
            "low": point.ci95[0],
            "high": point.ci95[1],
            "block": literal(point.block),
            "reading": f"{percent(point.knn_accuracy)} ({percent(point.ci95[0])} to {percent(point.ci95[1])})",
        }
        for point in found.profile.points
    ]
    x = {"field": "layer", "type": "quantitative", "title": "layer of MobileNetV2", "scale": {"nice": False, "padding": 8},
         "axis": {"tickCount": 8, "grid": False}}  # fmt: skip
    y = scores("low", "accuracy", "nearest-neighbour accuracy")
    layers: list[Spec] = [
        {
            "mark": {"type": "area", "color": "var(--accent)", "opacity": 0.18},
            "encoding": {"x": x, "y": y, "y2": {"field": "high"}},
        },
        {
            "mark": {"type": "line", "color": "var(--accent)", "point": {"size": 60, "color": "var(--accent)", "filled": True}},
            "encoding": {
                "x": x,
                "y": {"field": "accuracy", "type": "quantitative"},
                "tooltip": tooltip("block", "layer", "reading"),
            },
        },
    ]
    cut = found.profile.suggested_cut
    if cut is not None:
        layers.append(
            {
                "data": {"values": [{"layer": cut}]},
                "mark": {"type": "rule", "strokeDash": [5, 4], "color": "var(--ink)"},
                "encoding": {"x": {"field": "layer", "type": "quantitative"}},
            }
        )
    dashed = "" if cut is None else f" Dashed: layer {cut}, where fine-tuning may well begin."
    return Figure(
        "depth",
        "At which depth do the pretrained features tell the classes apart?",
        "Accuracy of a nearest-neighbour vote on the frozen network's pooled features, layer by layer, with its 95% interval. "
        f"Where it stops rising, deeper layers add little.{dashed}",
        found.sentence,
        chart(rows, layers, height=260),
        Sheet(
            ("#layer", "block", "#accuracy (95% interval)"),
            [(str(r["layer"]), str(r["block"]), str(r["reading"])) for r in rows],
        ),
    )
