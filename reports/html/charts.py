"""Charts of the answer: the techniques, what they cost, which classes they confuse, how far the features tell classes apart."""

from __future__ import annotations

import math
from typing import Any

from ...search.metrics import better, maximized
from ...search.trial import CompleteTrial, Metric
from ..insight import Confusion, Similarity
from ..summary import Summary
from ..text import count, describe, duration, listed, literal, metric_name, percent, score
from .figure import SHOWN, Figure, Sheet, Spec, chart, colour, scores, shape, tooltip, validation

MOST_NUMBERED = 12
"""Classes up to which a confusion matrix has room for its numbers."""

MOST_TABLED = 25
"""Classes up to which a confusion matrix makes a table that can be read."""


def techniques(summary: Summary) -> Figure | None:
    """The test scores with their intervals; None where nothing was confirmed."""
    metric = summary.settings.metric
    tested = [(one.technique, one.test) for one in summary.techniques if one.test]
    if not tested:
        return None
    rows: list[dict[str, Any]] = [
        {
            "technique": str(technique),
            "mean": test.mean,
            "low": test.ci95[0],
            "high": test.ci95[1],
            "label": score(test.mean, metric),
            "interval": f"{score(test.ci95[0], metric)} to {score(test.ci95[1], metric)}",
        }
        for technique, test in tested
    ]
    seeds = [
        {"technique": str(t), "score": value, "seed": score(value, metric)} for t, test in tested for value in test.by_seed
    ]
    y = {"field": "technique", "type": "nominal", "sort": [str(t) for t, _ in tested], "title": None, "axis": {"domain": False}}
    x = scores("low", metric, f"test {metric_name(metric)}")
    hover = tooltip("technique", "label", "interval")
    layers: list[Spec] = [
        {
            "mark": {"type": "rule", "strokeWidth": 8, "opacity": 0.35, "strokeCap": "round"},
            "encoding": {"y": y, "x": x, "x2": {"field": "high"}, "color": colour(), "tooltip": hover},
        },
        {
            "data": {"values": seeds},
            "mark": {"type": "tick", "thickness": 2, "size": 16, "opacity": 0.8},
            "encoding": {
                "y": y,
                "x": {"field": "score", "type": "quantitative"},
                "color": colour(),
                "tooltip": tooltip("technique", "seed"),
            },
        },
        {
            "mark": {"type": "point", "filled": True, "size": 130, "opacity": 1},
            "encoding": {
                "y": y,
                "x": {"field": "mean", "type": "quantitative"},
                "color": colour(),
                "shape": shape(),
                "tooltip": hover,
            },
        },
        {
            "mark": {"type": "text", "dy": -17, "fontSize": 13, "fontWeight": 600, "color": "var(--ink)"},
            "encoding": {"y": y, "x": {"field": "mean", "type": "quantitative"}, "text": {"field": "label"}},
        },
    ]
    words = listed([f"{row['technique']} {row['label']} (95% interval {row['interval']})" for row in rows])
    return Figure(
        "techniques",
        f"Which technique has the best test {metric_name(metric)}?",
        "Point: mean over training seeds. Bar: 95% interval over images and seeds. Ticks: the seeds. Bars of two techniques "
        "may overlap although their difference is real, because they are measured on the same images: the table of differences "
        "tells.",
        f"Test {metric_name(metric)}: {words}.",
        chart(rows, layers, height=58 * len(rows)),
        Sheet(
            ("technique", f"#test {metric_name(metric)}", "#95% interval", "#by seed"),
            [
                (row["technique"], row["label"], row["interval"], ", ".join(score(value, metric) for value in test.by_seed))
                for row, (_, test) in zip(rows, tested, strict=True)
            ],
        ),
    )


def front(trials: tuple[CompleteTrial, ...], metric: Metric) -> tuple[CompleteTrial, ...]:
    """The trials that no other beats without taking longer: the Pareto front of score against seconds, fastest first."""
    found: list[CompleteTrial] = []
    sign = -1 if maximized(metric) else 1
    for trial in sorted(trials, key=lambda trial: (trial.seconds, sign * trial.score)):
        if math.isfinite(trial.score) and (not found or better(metric, trial.score, found[-1].score)):
            found.append(trial)
    return tuple(found)


def cost(summary: Summary) -> Figure | None:
    """Score against seconds; None where no trial was completed."""
    metric = summary.settings.metric
    if not summary.ranked:
        return None
    best = front(summary.ranked, metric)
    rows = [
        {
            "technique": str(trial.recipe.technique),
            "seconds": max(trial.seconds, 0.01),
            "score": trial.score,
            "front": trial in best,
            "trial": f"{trial.number}: {describe(trial.recipe)}",
            "result": f"{score(trial.score, metric)} in {duration(trial.seconds)}",
        }
        for trial in summary.ranked
    ]
    x = {
        "field": "seconds",
        "type": "quantitative",
        "title": "seconds of training (logarithmic)",
        "scale": {"type": "log", "nice": False, "padding": 16},
        "axis": {"format": "~s", "tickCount": 5, "grid": False},
    }
    y = scores("score", metric, validation(metric))
    layers: list[Spec] = [
        {
            "transform": [{"filter": "datum.front"}],
            "mark": {
                "type": "line",
                "interpolate": "step-after",
                "color": "var(--muted)",
                "strokeDash": [4, 3],
                "opacity": 0.8,
            },
            "encoding": {"x": x, "y": y},
        },
        {
            "transform": [SHOWN],
            "mark": {"type": "point", "filled": True, "size": 90, "opacity": 0.9, "stroke": "var(--ink)"},
            "encoding": {
                "x": x,
                "y": y,
                "color": colour(),
                "shape": shape(),
                "strokeWidth": {"condition": {"test": "datum.front", "value": 2}, "value": 0},
                "tooltip": tooltip("technique", "trial", "result"),
            },
        },
    ]
    quickest, highest = best[0], best[-1]
    words = (
        f"{count(len(best), 'trial')} of {len(rows)} on the Pareto front: from {score(quickest.score, metric)} in "
        f"{duration(quickest.seconds)} ({quickest.recipe.technique}) to {score(highest.score, metric)} in "
        f"{duration(highest.seconds)} ({highest.recipe.technique})."
    )
    return Figure(
        "cost",
        "What does the accuracy cost?",
        "A point a complete trial. Outlined, on the dashed line: the Pareto front, trials that none beats in less time.",
        words,
        chart(rows, layers, height=300),
        Sheet(
            ("#trial", "technique", f"#{validation(metric)}", "#time", "recipe"),
            [
                (str(t.number), str(t.recipe.technique), score(t.score, metric), duration(t.seconds), describe(t.recipe))
                for t in best
            ],
        ),
    )


def confusion(found: Confusion, classes: tuple[str, ...]) -> Figure:
    """True classes against predicted ones."""
    totals = [sum(row) for row in found.matrix]
    few = len(classes) <= MOST_NUMBERED
    names = [literal(name) for name in classes]
    # A matrix of hundreds of classes is nearly all zeros, which need no mark.
    rows = [
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
        (name, "–" if math.isnan(recall) else percent(recall), f"{row[place]:,} of {total:,}")
        for place, (name, recall, row, total) in enumerate(zip(names, found.recall, found.matrix, totals, strict=True))
    ]
    tabled = len(classes) <= MOST_TABLED
    columns = ["true class", "#recall", "#right", *(f"#as {name}" for name in names if tabled)]
    cells = [[*recall, *(f"{n:,}" for n in row if tabled)] for recall, row in zip(recalls, found.matrix, strict=True)]
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
        for point in found.profile
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
    if found.suggested_cut is not None:
        layers.append(
            {
                "data": {"values": [{"layer": found.suggested_cut}]},
                "mark": {"type": "rule", "strokeDash": [5, 4], "color": "var(--ink)"},
                "encoding": {"x": {"field": "layer", "type": "quantitative"}},
            }
        )
    cut = "" if found.suggested_cut is None else f" Dashed: layer {found.suggested_cut}, where fine-tuning may well begin."
    return Figure(
        "depth",
        "At which depth do the pretrained features tell the classes apart?",
        "Accuracy of a nearest-neighbour vote on the frozen network's pooled features, layer by layer, with its 95% interval. "
        f"Where it stops rising, deeper layers add little.{cut}",
        found.sentence,
        chart(rows, layers, height=260),
        Sheet(
            ("#layer", "block", "#accuracy (95% interval)"),
            [(str(r["layer"]), str(r["block"]), str(r["reading"])) for r in rows],
        ),
    )
