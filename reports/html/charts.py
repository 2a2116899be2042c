"""Charts of the answer: the techniques, and what they cost."""

from __future__ import annotations

from typing import Any

from ..answer.cost import pareto_front
from ..answer.summary import Summary
from ..text import count, describe, duration, listed, metric_name, score
from ..words.cells import interval
from .figure import MOST_POINTS, Figure, Sheet, validation
from .vega import COLOUR, SHAPE, SHOWN, Spec, chart, encode, layer, logarithmic, scores, tooltip, where


def techniques(summary: Summary) -> Figure | None:
    """The test scores with their intervals; None where nothing was confirmed."""
    metric = summary.settings.metric
    tests = summary.tests
    if not tests:
        return None
    rows: list[dict[str, Any]] = [
        {
            "technique": str(technique),
            "mean": test.mean,
            "low": test.ci95[0],
            "high": test.ci95[1],
            "label": score(test.mean, metric),
            "interval": interval(test, metric),
        }
        for technique, test in tests.items()
    ]
    seeds = [
        {"technique": str(technique), "score": value, "seed": score(value, metric)}
        for technique, test in tests.items()
        for value in test.by_seed
    ]
    y = encode("technique", "nominal", sort=list(map(str, tests)), title=None, axis={"domain": False})
    x = scores("low", metric, f"test {metric_name(metric)}")
    hover = tooltip("technique", "label", "interval")
    mean = {"y": y, "x": encode("mean")}
    seed = {"y": y, "x": encode("score"), "color": COLOUR, "tooltip": tooltip("technique", "seed")}
    interval_bar = {"y": y, "x": x, "x2": {"field": "high"}, "color": COLOUR, "tooltip": hover}
    point = {**mean, "color": COLOUR, "shape": SHAPE, "tooltip": hover}
    layers = [
        layer("rule", interval_bar, strokeWidth=8, opacity=0.35, strokeCap="round"),
        layer("tick", seed, rows=seeds, thickness=2, size=16, opacity=0.8),
        layer("point", point, filled=True, size=130, opacity=1),
        layer("text", {**mean, "text": {"field": "label"}}, dy=-17, fontSize=13, fontWeight=600, color="var(--ink)"),
    ]
    divided = summary.settings.data.folds > 1
    repeats, over = ("folds", "folds") if divided else ("training seeds", "images and seeds")
    words = listed([f"{row['technique']} {row['label']} (95% interval {row['interval']})" for row in rows])
    return Figure(
        "techniques",
        f"Which technique has the best test {metric_name(metric)}?",
        f"Point: mean over {repeats}. Bar: 95% interval over {over}. Ticks: the {repeats}. "
        "Bars of two techniques may overlap although their difference is real, because they are measured on the same images: "
        "the table of differences tells.",
        f"Test {metric_name(metric)}: {words}.",
        chart(rows, layers, height=58 * len(rows)),
        Sheet(
            ("technique", f"#test {metric_name(metric)}", "#95% interval", "#by fold" if divided else "#by seed"),
            [
                (row["technique"], row["label"], row["interval"], ", ".join(score(value, metric) for value in test.by_seed))
                for row, test in zip(rows, tests.values(), strict=True)
            ],
        ),
    )


def cost(summary: Summary) -> Figure | None:
    """Score against seconds; None where no trial was completed."""
    metric = summary.settings.metric
    if not summary.ranked:
        return None
    trials = {trial.number: trial for trial in summary.ranked}
    scored = {number: trial.score for number, trial in trials.items()}
    seconds = {number: trial.seconds for number, trial in trials.items()}
    best = [trials[number] for number in pareto_front(scored, seconds, metric)]
    rows = [
        {
            "technique": str(trial.recipe.technique),
            "seconds": max(trial.seconds, 0.01),
            "score": trial.score,
            "front": trial in best,
            "trial": f"{trial.number}: {describe(trial.recipe)}",
            "result": f"{score(trial.score, metric)} in {duration(trial.seconds)}",
        }
        for trial in (*best, *(t for t in summary.ranked[:MOST_POINTS] if t not in best))
    ]
    x, y = logarithmic("seconds", "seconds of training", "~s", 5), scores("score", metric, validation(metric))
    outline, hover = where("datum.front", 2, 0), tooltip("technique", "trial", "result")
    point = {"x": x, "y": y, "color": COLOUR, "shape": SHAPE, "strokeWidth": outline, "tooltip": hover}
    dashes: Spec = {"interpolate": "step-after", "color": "var(--muted)", "strokeDash": [4, 3], "opacity": 0.8}
    layers = [
        layer("line", {"x": x, "y": y}, only="datum.front", **dashes),
        layer("point", point, only=SHOWN, filled=True, size=90, opacity=0.9, stroke="var(--ink)"),
    ]
    quickest, highest = best[0], best[-1]
    words = (
        f"{count(len(best), 'trial')} of {len(summary.ranked):,} on the Pareto front: from {score(quickest.score, metric)} in "
        f"{duration(quickest.seconds)} ({quickest.recipe.technique}) to {score(highest.score, metric)} in "
        f"{duration(highest.seconds)} ({highest.recipe.technique})."
    )
    return Figure(
        "cost",
        "What does the accuracy cost?",
        "Each point is a complete trial. Outlined, on the dashed line: the Pareto front, trials that no other beats in less "
        "time.",
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
