"""Charts beside the verdict: the confusion matrix, and how well features at each depth tell the classes apart."""

from __future__ import annotations

from typing import Any

from ..answer.insight import Confusion, Similarity
from ..text import listed, literal, percent
from ..words.cells import recall
from .figure import Figure, Sheet
from .vega import chart, class_axis, encode, layer, scores, tooltip, where

MOST_NUMBERED = 12
"""A confusion matrix of more classes has no room for numbers in its cells."""

MOST_CELLS = 5000
"""At most so many cells of a confusion matrix are drawn, those with the largest share of their true class: 0.6 MB."""

MOST_TABLED = 25
"""Of more classes the table below the matrix leaves the cells out: it would be too wide to read."""


def confusion(found: Confusion, classes: tuple[str, ...]) -> Figure:
    """The confusion matrix."""
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
    axis = class_axis(label_limit=110)
    domain = {"domain": list(range(len(classes)))}
    top = {**axis, "labelAngle": 0 if len(classes) <= 4 else -60, "orient": "top"}
    place = {
        "x": encode("predicted", "ordinal", title="predicted class", scale=domain, axis=top),
        "y": encode("true", "ordinal", title="true class", scale=domain, axis=axis),
    }
    strength = encode("share", scale={"domain": [0, 1], "range": [0.06, 1]}, legend=None)
    layers = [layer("rect", {**place, "fillOpacity": strength, "tooltip": tooltip("reading")}, color="var(--accent)")]
    if few:
        ink = where("datum.share > 0.55", "var(--on-accent)", "var(--ink)")
        layers.append(layer("text", {**place, "text": {"field": "label"}, "color": ink}, fontSize=13))
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
        "The recommended technique, over all of its test predictions. Stronger: a larger share of the true class.",
        f"Most often taken for another: {listed(pairs)}." if pairs else "No test image is taken for another class.",
        chart(rows, layers, height=min(520, max(180, 44 * len(classes))), names=classes),
        Sheet(columns, cells),
    )


def depth(found: Similarity) -> Figure:
    """Nearest-neighbour accuracy of the frozen features at each depth."""
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
    x = encode("layer", title="layer of MobileNetV2", scale={"nice": False, "padding": 8}, axis={"tickCount": 8, "grid": False})
    band = {"x": x, "y": scores("low", "accuracy", "nearest-neighbour accuracy"), "y2": {"field": "high"}}
    line = {"x": x, "y": encode("accuracy"), "tooltip": tooltip("block", "layer", "reading")}
    accent = "var(--accent)"
    layers = [
        layer("area", band, color=accent, opacity=0.18),
        layer("line", line, color=accent, point={"size": 60, "color": accent, "filled": True}),
    ]
    cut = found.profile.suggested_cut
    if cut is not None:
        layers.append(layer("rule", {"x": encode("layer")}, rows=[{"layer": cut}], strokeDash=[5, 4], color="var(--ink)"))
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
