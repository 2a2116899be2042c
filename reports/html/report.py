"""A study's report as a page: what the other formats say, with charts and pictures."""

from __future__ import annotations

from ...search.trial import PrunedTrial
from ..answer.summary import Summary
from ..text import count, describe, duration, gap, metric_name, score
from ..words.cells import (
    NOTHING,
    TechniqueCells,
    best_epoch,
    certainty,
    certainty_columns,
    differences,
    gap_interval,
    interval,
    ranking,
    recall,
    tested,
)
from ..words.sentences import CERTAINTY, DEMONSTRATION, best_recipe, headline, nothing_learned, standing
from ..words.study import next_step, study_facts
from . import charts, insight_charts, search_charts
from .figure import Figure, Sheet, validation
from .page import render
from .parallel import parallel
from .pictures import album

MOST_TRIALS = 500
"""At most so many trials are in the table of trials, the best ones: 0.1 MB."""

_SECTIONS = (("verdict", "Verdict"), ("answer", "Techniques"), ("search", "Search"), ("mistakes", "Mistakes"), ("data", "Data"))


def render_report(summary: Summary) -> str:
    """The page of a study, as HTML."""
    classes = summary.settings.data.classes
    answer = _drawn(charts.techniques(summary), charts.cost(summary))
    searching = _drawn(
        search_charts.curves(summary),
        search_charts.learning_rates(summary),
        search_charts.importance(summary),
        parallel(summary),
        search_charts.timeline(summary),
    )
    confusion = _drawn(insight_charts.confusion(summary.confusion, classes) if summary.confusion else None)
    depth = _drawn(insight_charts.depth(summary.similarity) if summary.similarity else None)
    return render(
        "report.html.jinja",
        f"{headline(summary)} · {summary.settings.name}",
        _SECTIONS,
        [*answer, *searching, *confusion, *depth],
        {
            "summary": summary,
            "data": summary.settings.data,
            "headline": headline(summary),
            "standing": standing(summary),
            "nothing_learned": nothing_learned(summary),
            "recipe": best_recipe(summary),
            "demonstration": DEMONSTRATION,
            "next_step": next_step(summary),
            "tiles": _tiles(summary),
            "answer": answer,
            "techniques_table": _techniques(summary),
            "pareto_note": _pareto_note(summary),
            "certainty": Sheet(certainty_columns(summary), list(certainty(summary))),
            "certainty_note": CERTAINTY,
            "differences": Sheet(("better", "worse", "#by", "#95% interval", "#p", "finding"), list(differences(summary))),
            "searching": searching,
            "trials": _trials(summary),
            "trials_title": _trials_title(summary),
            "failures": Sheet(
                ("#trial", "recipe", "reason"),
                [(str(t.number), describe(t.recipe, technique=True), t.error) for t in summary.failures[:MOST_TRIALS]],
            ),
            "confusion": confusion,
            "album": album(summary),
            "depth": depth,
            "facts": study_facts(summary),
            "classes": _classes(summary),
            "skipped": Sheet(("file", "reason"), [(file.path, file.reason) for file in summary.settings.data.skipped]),
        },
    )


def _drawn(*figures: Figure | None) -> list[Figure]:
    return [figure for figure in figures if figure is not None]


def _tiles(summary: Summary) -> list[tuple[str, str, str]]:
    """The most important numbers, each as label, value and remark."""
    metric, verdict, data = summary.settings.metric, summary.verdict, summary.settings.data
    tiles = []
    chosen = verdict.recommended
    if chosen in summary.tests:
        test = summary.tests[chosen]
        tiles.append((f"test {metric_name(metric)}", score(test.mean, metric), f"{chosen}, {interval(test, metric)}"))
    if verdict.comparisons and chosen:
        own = [c if c.a is chosen else c.flipped() for c in verdict.comparisons if chosen in (c.a, c.b)]
        nearest = min(own, key=lambda c: c.difference)
        ahead = nearest if nearest.difference >= 0 else nearest.flipped()
        label = f"ahead of {nearest.b}" if ahead is nearest else f"behind {nearest.b}"
        tiles.append((label, gap(ahead.difference, metric), gap_interval(ahead.ci95, metric)))
    failed = f", {len(summary.failures)} failed" if summary.failures else ""
    pruned = sum(isinstance(t, PrunedTrial) for t in summary.trials)
    tiles.append(("trials", str(len(summary.ranked) + pruned + len(summary.failures)), f"{pruned} pruned{failed}"))
    tiles.append(("time", duration(summary.timing.total), f"{duration(summary.timing.train)} of it searching"))
    tiles.append(("images", f"{data.images:,}", f"{count(len(data.classes), 'class')}, {data.test:,} to test on"))
    return tiles


def _techniques(summary: Summary) -> Sheet:
    metric = summary.settings.metric
    fronts = bool(_pareto_note(summary))
    rows = []
    for one in summary.techniques:
        cells = TechniqueCells.of(one, summary)
        trials = f"{cells.trials} ({', '.join(cells.outcomes)})" if cells.outcomes else cells.trials
        front = [" and ".join(cells.fronts) or NOTHING] if fronts else []
        test = tested(one.test, metric)
        rows.append((str(one.technique), trials, cells.seconds, cells.validation, test, cells.parameters, *front, cells.recipe))
    columns = ("technique", "#trials", "#time", f"#{validation(metric)}", f"#test {metric_name(metric)} (95% interval)",
               "#trained parameters", *(["Pareto front"] if fronts else []), "best recipe")  # fmt: skip
    return Sheet(columns, rows)


def _pareto_note(summary: Summary) -> str:
    if not (summary.pareto_seconds or summary.pareto_params):
        return ""
    return "On the Pareto front by time, or by parameters: no other technique has a better test score for less of it."


def _trials_title(summary: Summary) -> str:
    complete = count(len(summary.ranked), "complete trial")
    shown = min(MOST_TRIALS, len(summary.ranked))
    title = f"The best {shown} of {complete}" if shown < len(summary.ranked) else complete
    return f"{title}, {ranking(summary.ranked[:shown], summary.settings.metric)}"


def _trials(summary: Summary) -> Sheet:
    metric = summary.settings.metric
    divided = summary.settings.data.folds > 1
    columns = [
        "#trial",
        *["#fold"] * divided,
        "technique",
        f"#{validation(metric)}",
        "#epoch",
        "#time",
        "#trained parameters",
        "#head's C",
        "recipe",
    ]
    rows = [
        (
            str(trial.number),
            *[str(trial.fold + 1)] * divided,
            trial.recipe.technique,
            score(trial.score, metric),
            best_epoch(trial),
            duration(trial.seconds),
            f"{trial.trainable_params:,}",
            f"{trial.head_c:g}" if trial.head_c else NOTHING,
            describe(trial.recipe),
        )
        for trial in summary.ranked[:MOST_TRIALS]
    ]
    return Sheet(columns, rows)


def _classes(summary: Summary) -> Sheet:
    data, found = summary.settings.data, summary.confusion
    rows = []
    for place, (name, train, test) in enumerate(zip(data.classes, data.train_per_class, data.test_per_class, strict=True)):
        rows.append((name, f"{train:,}", f"{test:,}", *([recall(found.recall[place])] if found else [])))
    return Sheet(("class", "#training images", "#test images", *(("#recall",) if found else ())), rows)
