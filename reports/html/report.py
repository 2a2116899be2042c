"""A study's report as a page: the same summary as everywhere, with charts and pictures beside the numbers."""

from __future__ import annotations

import math

from ...search.trial import CompleteTrial, FinishedTrial, PrunedTrial
from ..answer.summary import Summary
from ..text import count, describe, duration, gap, gap_number, in_words, metric_name, percent, score
from ..words.facts import facts, next_step
from ..words.sentences import DEMONSTRATION, headline
from . import charts, insight_charts, search_charts
from .figure import Figure, Sheet, validation
from .page import render
from .parallel import parallel
from .pictures import album

MOST_TRIALS = 500
"""Rows of the table of trials, the best ones: 0.1 MB."""

_SECTIONS = (
    ("verdict", "Verdict"),
    ("answer", "Techniques"),
    ("search", "Search"),
    ("mistakes", "Mistakes"),
    ("data", "Data"),
)


def render_report(summary: Summary) -> str:
    """The page of a study."""
    classes = summary.settings.data.classes
    answer = _present(charts.techniques(summary), charts.cost(summary))
    searching = _present(
        search_charts.curves(summary),
        search_charts.learning_rates(summary),
        search_charts.importance(summary),
        parallel(summary),
        search_charts.timeline(summary),
    )
    confusion = [insight_charts.confusion(summary.confusion, classes)] if summary.confusion else []
    depth = [insight_charts.depth(summary.similarity)] if summary.similarity and summary.similarity.profile else []
    verdict = summary.verdict
    best = next((t.best for t in summary.techniques if t.technique is verdict.recommended and t.best), None)
    title = f"{headline(summary)} · {summary.settings.name}"
    return render(
        "report.html.jinja",
        title,
        _SECTIONS,
        [*answer, *searching, *confusion, *depth],
        {
            "verdict": verdict,
            "headline": headline(summary),
            "data": summary.settings.data,
            "recipe": f"The best recipe of {best.recipe.technique}: {in_words(best.recipe)}." if best else "",
            "cost_sentence": summary.cost_sentence,
            "demonstration": DEMONSTRATION if summary.is_demonstration else "",
            "next_step": next_step(summary),
            "tiles": list(_tiles(summary)),
            "answer": answer,
            "techniques_table": _techniques(summary),
            "pareto_note": _pareto_note(summary),
            "differences": _differences(summary),
            "searching": searching,
            "techniques_shown": [str(technique.technique) for technique in summary.techniques],
            "trials": _trials(summary),
            "trials_title": _trials_title(summary),
            "failures": _failures(summary),
            "confusion": confusion,
            "album": album(summary),
            "depth": depth,
            "facts": list(facts(summary)),
            "classes": _classes(summary),
            "skipped": Sheet(("file", "reason"), [(file.path, file.reason) for file in summary.settings.data.skipped]),
        },
    )


def _present(*figures: Figure | None) -> list[Figure]:
    return [figure for figure in figures if figure is not None]


def _tiles(summary: Summary) -> list[tuple[str, str, str]]:
    """The numbers that one looks for first: a label, a value, a remark."""
    metric, verdict, data = summary.settings.metric, summary.verdict, summary.settings.data
    tiles = []
    for technique in summary.techniques:
        if technique.technique is verdict.recommended and technique.test:
            low, high = (score(bound, metric) for bound in technique.test.ci95)
            tiles.append(
                (f"test {metric_name(metric)}", score(technique.test.mean, metric), f"{technique.technique}, {low} to {high}")
            )
    if verdict.comparisons and verdict.recommended:
        own = [c if c.a is verdict.recommended else c.flipped() for c in verdict.comparisons
               if verdict.recommended in (c.a, c.b)]  # fmt: skip
        nearest = min(own, key=lambda c: c.difference)
        ahead = nearest if nearest.difference >= 0 else nearest.flipped()
        low, high = (gap_number(bound, metric) for bound in ahead.ci95)
        label = f"ahead of {nearest.b}" if ahead is nearest else f"behind {nearest.b}"
        tiles.append((label, gap(ahead.difference, metric), f"{low} to {high}"))
    done = [t for t in summary.trials if isinstance(t, FinishedTrial)]
    failed = f", {len(summary.failures)} failed" if summary.failures else ""
    pruned = sum(isinstance(t, PrunedTrial) for t in done)
    tiles.append(("trials", str(len(summary.ranked) + pruned + len(summary.failures)), f"{pruned} pruned{failed}"))
    timing = summary.timing
    total = max(timing.wall, timing.extract + timing.train + timing.confirm)
    tiles.append(("time", duration(total), f"{duration(timing.train)} of it searching"))
    tiles.append(
        ("images", f"{data.train + data.val + data.test:,}", f"{count(len(data.classes), 'class')}, {data.test:,} to test on")
    )
    return tiles


def _techniques(summary: Summary) -> Sheet:
    metric = summary.settings.metric
    rows = []
    for one in summary.techniques:
        notes = [f"{number} {word}" for number, word in ((one.failed, "failed"), (one.pruned, "pruned")) if number]
        marks = [name for name, on in (("time", summary.pareto_seconds), ("parameters", summary.pareto_params))
                 if one.technique in on]  # fmt: skip
        interval = f" ({score(one.test.ci95[0], metric)} to {score(one.test.ci95[1], metric)})" if one.test else ""
        rows.append(
            (
                str(one.technique),
                f"{len(one.trials)}{' (' + ', '.join(notes) + ')' if notes else ''}",
                duration(one.seconds) if one.trials else "–",
                score(one.best.score, metric) if one.best else "–",
                f"{score(one.test.mean, metric)}{interval}" if one.test else "–",
                f"{one.best.trainable_params:,}" if one.best else "–",
                " and ".join(marks) or "–",
                in_words(one.best.recipe) if one.best else ("no trial completed" if one.trials else "not tried"),
            )
        )
    columns = ("technique", "#trials", "#time", f"#{validation(metric)}", f"#test {metric_name(metric)} (95% interval)",
               "#trained parameters", "Pareto front", "best recipe")  # fmt: skip
    if not (summary.pareto_seconds or summary.pareto_params):
        return Sheet(columns[:6] + columns[7:], [row[:6] + row[7:] for row in rows])
    return Sheet(columns, rows)


def _pareto_note(summary: Summary) -> str:
    if not (summary.pareto_seconds or summary.pareto_params):
        return ""
    return "On the Pareto front by time, or by parameters: no other technique has a better test score for less of it."


def _differences(summary: Summary) -> Sheet:
    metric = summary.settings.metric
    rows = []
    for comparison in summary.verdict.comparisons:
        one = comparison if comparison.difference >= 0 else comparison.flipped()
        low, high = (gap_number(bound, metric) for bound in one.ci95)
        p = "< 0.001" if one.p < 0.001 else f"{one.p:.3f}"
        finding = "real" if one.real else "may be luck"
        rows.append((str(one.a), str(one.b), gap(one.difference, metric), f"{low} to {high}", p, finding))
    return Sheet(("better", "worse", "#by", "#95% interval", "#p", "finding"), rows)


def _trials_title(summary: Summary) -> str:
    complete = count(len(summary.ranked), "complete trial")
    shown = min(MOST_TRIALS, len(summary.ranked))
    return f"The best {shown} of {complete}" if shown < len(summary.ranked) else f"{complete}, the best first"


def _trials(summary: Summary) -> Sheet:
    metric = summary.settings.metric

    def row(trial: CompleteTrial) -> tuple[str, ...]:
        epochs = max((m.epoch for m in trial.curve), default=trial.best_epoch)
        return (
            str(trial.number),
            str(trial.recipe.technique),
            score(trial.score, metric),
            f"{trial.best_epoch} of {epochs}",
            duration(trial.seconds),
            f"{trial.trainable_params:,}",
            describe(trial.recipe),
        )

    columns = ("#trial", "technique", f"#{validation(metric)}", "#epoch", "#time", "#trained parameters", "recipe")
    return Sheet(columns, [row(trial) for trial in summary.ranked[:MOST_TRIALS]])


def _failures(summary: Summary) -> Sheet:
    return Sheet(
        ("#trial", "recipe", "reason"),
        [(str(t.number), describe(t.recipe, technique=True), t.error) for t in summary.failures[:MOST_TRIALS]],
    )


def _classes(summary: Summary) -> Sheet:
    data, found = summary.settings.data, summary.confusion
    rows = []
    for place, (name, train, test) in enumerate(zip(data.classes, data.train_per_class, data.test_per_class, strict=True)):
        recall = found.recall[place] if found else math.nan
        rows.append(
            (name, f"{train:,}", f"{test:,}", *(() if found is None else ("–" if math.isnan(recall) else percent(recall),)))
        )
    return Sheet(("class", "#training images", "#test images", *(("#recall",) if found else ())), rows)
