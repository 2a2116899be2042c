"""What a report says of a study beside its tables: what to do next, and facts with their labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...search.data.split import ENOUGH_TO_TEST, FOLDS
from ...search.settings import DataSettings
from ..answer.dataset import rare_classes
from ..answer.summary import Summary
from ..text import and_more, count, describe, file_size, gap_number, listed, literal
from .sentences import (
    baseline,
    came_true,
    doubtful_labels,
    lookalikes,
    luck,
    rule_of_thumb,
    spared,
    split_of,
    started_from,
    time_spent,
    trained_on,
)

SHOWN = 5
"""Skipped files, failed trials: so many of them are named."""

SHOWN_CLASSES = 10

MOST_IMAGES = 100_000
"""Of more test images that would be needed nobody is told: they would show a difference that does not matter."""


def next_step(summary: Summary) -> str:
    """What would tell more; empty where the verdict's reason has said so."""
    if summary.running:
        trials = count(len(summary.running), "trial")
        return f"{trials} still running, or cut off by a kill: the same run command goes on."
    if not summary.ranked:
        return "No trial has completed: see below why, or run the same command again to go on."
    verdict, metric, data = summary.verdict, summary.settings.metric, summary.settings.data
    if verdict.decision == "insufficient" or verdict.recommended is None:
        return _folds(data) if verdict.comparisons and not summary.untried else ""
    if verdict.proven:
        return "To check it once more: the same run command with another --seed and another --study."
    rivals = [technique for technique in verdict.chances if technique is not verdict.recommended]
    rival = max(rivals, key=lambda technique: verdict.chances[technique].probability_best)
    pair = {verdict.recommended, rival}
    outlook = next(c.outlook for c in verdict.comparisons if {c.a, c.b} == pair)
    if outlook is None:
        low, high = next(c.ci95 for c in verdict.comparisons if {c.a, c.b} == pair)
        known = f"The difference between {verdict.recommended} and {rival} is known to ±{gap_number((high - low) / 2, metric)}"
        return f"{known} over {count(data.folds, 'fold')}; more images would tell more." if data.folds > 1 else ""
    now, twice = (gap_number(width, metric) for width in (outlook.now, outlook.twice_images))
    sentence = f"The difference between {verdict.recommended} and {rival} is known to ±{now}; "
    if outlook.any_seeds is None:
        sentence += (
            f"with twice the test images it would be to ±{twice}. More seeds would narrow it too; so few cannot tell how far."
        )
    else:
        any_seeds = gap_number(outlook.any_seeds, metric)
        sentence += f"with any number of seeds it would be to ±{any_seeds}, with twice the test images to ±{twice}."
    if outlook.images is not None and 0 < outlook.images <= MOST_IMAGES:
        more = float(f"{outlook.images:.2g}")
        sentence += f" About {more:,.0f} more test images would show one as large as this four times in five."
    return " ".join(filter(None, (sentence, _folds(data))))


def _folds(data: DataSettings) -> str:
    """How to test more of the images that there are; empty where all are tested, or enough."""
    if data.folds > 1 or not data.drawn or data.test >= ENOUGH_TO_TEST:
        return ""
    return (
        f"The same run command with --folds {FOLDS} and another --study would test all {data.images:,} images, in {FOLDS} "
        "times the time."
    )


def study_facts(summary: Summary) -> Iterator[tuple[str, str]]:
    """Facts, each with its label; safe to print."""
    data, settings = summary.settings.data, summary.settings
    classes = [literal(name) for name in data.classes[:SHOWN_CLASSES]]
    if len(data.classes) > SHOWN_CLASSES:
        classes.append(f"{len(data.classes) - SHOWN_CLASSES} more")
    yield (
        "Data",
        f"{literal(data.path)}: {split_of(data)} in {count(len(data.classes), 'class')} ({listed(classes)})",
    )
    yield "Baseline", baseline(summary)
    if seen := lookalikes(summary):
        yield "Look-alikes", seen
    if doubts := doubtful_labels(summary):
        yield "Doubtful labels", doubts
    if rare := rare_classes(data, settings.metric):
        yield "Rare classes", rare
    if data.labels:
        yield "Labels", literal(data.labels)
    if data.remarks:
        yield "Remarks", literal(" ".join(data.remarks))
    if data.skipped:
        named = [f"{literal(file.path)} ({literal(file.reason)})" for file in data.skipped]
        yield f"Skipped files ({len(data.skipped)})", and_more(named, SHOWN)
    if summary.similarity:
        yield "Similarity", summary.similarity.sentence
    if expected := came_true(summary):
        yield "Expected", expected
    yield "Rule of thumb", rule_of_thumb(summary)
    if summary.untried:
        yield "Not tried", f"{listed(summary.untried)}; more --trials would get to it"
    if summary.closed:
        yield "No more trials", f"of {'; '.join(map(spared, summary.closed))}"
    if failures := summary.failures:
        named = [f"{t.number} ({describe(t.recipe, technique=True)}: {literal(t.error)})" for t in failures]
        yield f"Failed trials ({len(failures)})", and_more(named, SHOWN)
    if lucky := luck(summary):
        yield "Finalists", lucky
    if kept := summary.kept_bytes:
        yield "Models", f"the best of each technique is kept, {file_size(kept)} in all; `tlsearch export` takes one out"
    yield "Time", time_spent(summary)
    if summary.runs:
        yield "Device", trained_on(summary)
    if summary.ranked:
        overhead = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in summary.trial_overhead.items())
        yield "Trial overhead", f"{overhead} (medians)"
    if summary.from_pixels:
        trials = count(len(summary.from_pixels), "trial")
        why = "caching their activations would not pay, or they did not fit"
        yield "Not cached", f"{trials} with frozen layers trained from pixels: {why}"
    yield (
        "Search",
        f"{settings.engine} ({settings.algorithm}), seed {settings.seed}; MobileNetV2 with α = {settings.alpha:g}, "
        f"{settings.size} px images, {_weights(summary)}",
    )
    if settings.warm_start:
        yield "Started from", started_from(summary)


def _weights(summary: Summary) -> str:
    """The weights by name; of ImageNet's also which file, for there is one for each size, and whether it was downloaded."""
    weights, (file, downloaded) = summary.settings.weights, summary.weights_file
    if weights == "imagenet" and file:
        return f"imagenet weights ({literal(file)}{', downloaded by Keras' if downloaded else ''})"
    named = weights in ("imagenet", "starter", "random")
    return f"{weights} weights" if named else f"weights of {literal(Path(weights).name)}"
