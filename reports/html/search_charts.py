"""Charts of the search: learning curves, learning rates, importance of the settings, timeline."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from ...search.trial import CompleteTrial, FailedTrial, FinishedTrial, PrunedTrial, Trial
from ...spaces.recipe import Technique
from ..answer.importance import FEWEST, importances
from ..answer.summary import Summary
from ..text import count, describe, duration, listed, percent, rate, score, thinned
from .figure import MOST_EPOCHS, MOST_LINES, MOST_POINTS, Figure, Sheet, setting, validation
from .vega import BARE, COLOUR, SHAPE, SHOWN, chart, encode, layer, logarithmic, scores, tooltip, where

PAUSE = 60.0
"""Seconds. A longer time without a running trial is cut out of the timeline: the study was stopped and resumed."""


def curves(summary: Summary) -> Figure | None:
    """Score by epoch; None where nothing was measured."""
    metric = summary.settings.metric
    pruned = [t for t in summary.trials if isinstance(t, PrunedTrial)]
    tried: list[CompleteTrial | PrunedTrial] = [*summary.ranked, *pruned]
    drawn = tried[:MOST_LINES]
    finalists = {one.best.number: one.best for one in summary.techniques if one.best}
    rows = [
        {
            "technique": str(trial.recipe.technique),
            "trial": trial.number,
            "epoch": point.epoch,
            "score": point.score,
            "pruned": isinstance(trial, PrunedTrial),
            "finalist": trial.number in finalists,
            "reading": f"trial {trial.number}, epoch {point.epoch}: {score(point.score, metric)}",
            "recipe": describe(trial.recipe),
        }
        for trial in drawn
        for point in thinned(trial.curve, MOST_EPOCHS)
        if math.isfinite(point.score)
    ]
    if not rows:
        return None
    place = {
        "x": encode("epoch", title="epoch", axis={"tickMinStep": 1, "format": "d", "grid": False}),
        "y": scores("score", metric, validation(metric)),
        "color": COLOUR,
    }
    line = {
        **place,
        "detail": {"field": "trial"},
        "strokeDash": where("datum.pruned", [3, 3], [1, 0]),
        "strokeWidth": where("datum.finalist", 3, 1.5),
        "opacity": where("datum.finalist", 1, 0.45),
    }
    point = {
        **place,
        "shape": SHAPE,
        "size": where("datum.finalist", 70, 22),
        "opacity": where("datum.finalist", 1, 0.6),
        "tooltip": tooltip("technique", "reading", "recipe"),
    }
    layers = [layer("line", line, only=SHOWN), layer("point", point, only=SHOWN, filled=True)]
    left_out = len(tried) - len(drawn)
    more = f" The {left_out} others are left out." if left_out else ""
    words = listed(
        [f"{b.recipe.technique} is best at epoch {b.best_epoch} with {score(b.score, metric)}" for b in finalists.values()]
    )
    return Figure(
        "curves",
        "How do the trials learn?",
        "Each line is a trial; the strong ones are the best of each technique. Epoch 0 is the model before its main training. "
        f"Dotted: pruned, because others of the same technique did better at the same epoch.{more}",
        f"Of each technique's best trial: {words}." if words else "No trial was completed.",
        chart(rows, layers, height=320),
        Sheet(
            ("#trial", "technique", "state", f"{validation(metric)} by epoch"),
            [
                (
                    str(t.number),
                    str(t.recipe.technique),
                    "pruned" if isinstance(t, PrunedTrial) else "complete",
                    ", ".join(score(m.score, metric) if math.isfinite(m.score) else "–" for m in thinned(t.curve, MOST_EPOCHS)),
                )
                for t in drawn
            ],
        ),
    )


def learning_rates(summary: Summary) -> Figure | None:
    """Learning rate against score; None where no trial was completed."""
    metric = summary.settings.metric
    if not summary.ranked:
        return None
    rows = [
        {
            "technique": str(t.recipe.technique),
            "rate": t.recipe.learning_rate,
            "score": t.score,
            "trial": f"{t.number}: {describe(t.recipe)}",
            "result": score(t.score, metric),
        }
        for t in summary.ranked[:MOST_POINTS]
    ]
    place = {"x": logarithmic("rate", "learning rate", "~e", 4), "y": scores("score", metric, validation(metric))}
    point = {**place, "color": COLOUR, "shape": SHAPE, "tooltip": tooltip("technique", "trial", "result")}
    layers = [layer("point", point, only=SHOWN, filled=True, size=90, opacity=0.85)]
    cells = []
    for one in summary.techniques:
        own = [t for t in one.trials if isinstance(t, CompleteTrial)]
        if own and one.best:
            rates = [t.recipe.learning_rate for t in own]
            tried = rate(min(rates)) if min(rates) == max(rates) else f"{rate(min(rates))} to {rate(max(rates))}"
            cells.append(
                (str(one.technique), str(len(own)), tried, rate(one.best.recipe.learning_rate), score(one.best.score, metric))
            )
    return Figure(
        "rates",
        "Which learning rates work?",
        "Each point is a complete trial. Its other settings differ too, so one point says little and the cloud says more.",
        "Best learning rates: " + listed([f"{best} for {technique}" for technique, _, _, best, _ in cells]) + ".",
        chart(rows, layers, height=280),
        Sheet(("technique", "#complete trials", "#rates tried", "#best rate", f"#its {validation(metric)}"), cells),
    )


def importance(summary: Summary) -> Figure | None:
    """Importance of the settings within each technique; None where no technique has enough trials."""
    found = importances(summary)
    rows: list[dict[str, Any]] = [
        {
            "technique": str(technique),
            "setting": setting(name),
            "share": share,
            "reading": f"{setting(name)}: {percent(share)}",
        }
        for technique, shares in found.items()
        for name, share in shares.items()
    ]
    if not rows:
        return None
    bar = {
        "y": encode("setting", "nominal", sort="-x", title=None, axis=BARE),
        "yOffset": {"field": "technique", "sort": list(map(str, Technique))},
        "x": encode("share", title="share of the importance", axis={"format": "~%", "tickCount": 5}),
        "color": COLOUR,
        "tooltip": tooltip("technique", "reading"),
    }
    layers = [layer("bar", bar, only=SHOWN, cornerRadiusEnd=3)]
    most = [f"{setting(max(shares, key=shares.__getitem__))} for {technique}" for technique, shares in found.items()]
    return Figure(
        "importance",
        "Which settings matter?",
        f"Optuna's importance (PED-ANOVA) within each technique that has at least {FEWEST} complete trials: how far the "
        "settings of its better trials differ from those of all. With few trials it is a hint, no more.",
        f"Most important: {listed(most)}.",
        chart(rows, layers, height=18 * len(rows) + 40),
        Sheet(("technique", "setting", "#importance"), [(r["technique"], r["setting"], percent(r["share"])) for r in rows]),
    )


def timeline(summary: Summary) -> Figure | None:
    """Which worker trained which trial when; None where no trial has ended."""
    ended = sorted((t for t in summary.trials if isinstance(t, FinishedTrial) and t.worker), key=lambda t: t.started)
    if not ended:
        return None
    left_out = len(ended) - MOST_POINTS
    ended = ended[-MOST_POINTS:]
    metric = summary.settings.metric
    origin, busy_until = ended[0].started, ended[0].started
    rows: list[dict[str, Any]] = []
    for trial in ended:
        pause = (trial.started - busy_until).total_seconds()
        if pause > PAUSE:
            origin += timedelta(seconds=pause)
        reached = f" at {score(trial.score, metric)}" if isinstance(trial, CompleteTrial | PrunedTrial) else ""
        begins = (trial.started - origin).total_seconds()
        ends = begins + trial.seconds
        busy_until = max(busy_until, trial.started + timedelta(seconds=trial.seconds))
        rows.append(
            {
                "technique": str(trial.recipe.technique),
                "worker": trial.worker,
                "begins": begins,
                "ends": ends,
                "state": _state(trial),
                "reading": f"trial {trial.number}, {_state(trial)}{reached}, {duration(trial.seconds)}",
                "recipe": describe(trial.recipe),
            }
        )
    workers = sorted({str(row["worker"]) for row in rows}, key=lambda name: (len(name), name))
    bar = {
        "y": encode("worker", "nominal", sort=workers, title=None, axis=BARE),
        "x": encode("begins", title="seconds since the first trial", scale={"nice": False}),
        "x2": {"field": "ends"},
        "color": COLOUR,
        "opacity": where("datum.state != 'complete'", 0.45, 1),
        "tooltip": tooltip("technique", "reading", "recipe"),
    }
    layers = [layer("bar", bar, only=SHOWN, cornerRadius=2, height={"band": 0.8}, stroke="var(--card)", strokeWidth=1)]
    return Figure(
        "timeline",
        "When was what trained?",
        "Each bar is a trial. Pale: pruned or failed. Pauses between runs are cut out."
        + (f" The first {left_out:,} are left out." if left_out > 0 else ""),
        f"{count(len(rows), 'trial')} on {count(len(workers), 'worker')} within {duration(max(row['ends'] for row in rows))}.",
        chart(rows, layers, height=34 * len(workers)),
        Sheet(
            ("#trial", "technique", "worker", "#begins after", "#takes", "state"),
            [
                (str(t.number), r["technique"], r["worker"], duration(r["begins"]), duration(t.seconds), r["state"])
                for t, r in zip(ended, rows, strict=True)
            ],
        ),
    )


def _state(trial: Trial) -> str:
    if isinstance(trial, FailedTrial):
        return "interrupted" if trial.interrupted else "failed"
    return "pruned" if isinstance(trial, PrunedTrial) else "complete"
