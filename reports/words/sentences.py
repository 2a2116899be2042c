"""What several reports say in the same words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from ...search.events import NodeState, Phase
from ..text import count, duration, gap_number, in_words, listed, literal, looks, metric_name, score

if TYPE_CHECKING:
    from ...search.settings import DataSettings
    from ...search.statistics.expectation import Expectation
    from ...search.trial import ClosedTechnique

    # A log of a search's progress takes its words from here before anything has read a study.
    from ...spaces.recipe import Technique
    from ..answer.summary import Summary
    from ..answer.verdict import Verdict

PHASES: dict[Phase, str] = {
    "draw": "drawing the built-in pictures",
    "decode": "decoding",
    "compare": "looking for look-alikes",
    "extract": "frozen features",
    "profile": "depth profile",
    "search": "search",
    "confirm": "confirmation",
}
"""What the phases are called in every report."""

DEMONSTRATION = "A demonstration: the pictures are the built-in drawings, so this says nothing about photographs."


CERTAINTY = (
    "regret: how far below the best one, on average; these go by other data sets too, so what is likely need not be proven"
)
"""What stands above the table of probabilities."""


def places(nodes: Sequence[NodeState]) -> str:
    """Where the workers of a cluster are."""
    workers = sum(len(node.workers) for node in nodes)
    each = ", ".join(f"{node.name} ({node.address}) {len(node.workers)}" for node in nodes)
    return f"{count(len(nodes), 'node')}, {count(workers, 'worker')}: {each}"


def split_of(data: DataSettings) -> str:
    """How many images there are, and what they are for."""
    if data.folds == 1:
        return f"{data.train:,} training, {data.val:,} validation and {data.test:,} test images"
    each = f"about {data.train:,} training, {data.val:,} validation and {round(data.test / data.folds):,} test images each"
    return f"{data.test:,} images in {data.folds} folds ({each})"


def measured_on(about: Mapping[str, Any], images: int) -> str:
    """How many images an export was measured on; a model of all folds has not been trained on the validation images alone."""
    return count(images, "validation image" if about["data"].get("folds", 1) > 1 else "test image")


def over(data: DataSettings) -> str:
    """What scores are means over."""
    return "folds" if data.folds > 1 else "seeds"


def standing(summary: Summary) -> Literal["win", "tie", "insufficient"]:
    """How the verdict is coloured: only what is proven, and of any use, as a win."""
    if summary.useless or summary.verdict.decision == "insufficient":
        return "insufficient"
    return "win" if summary.verdict.proven else "tie"


def headline(summary: Summary) -> str:
    """The verdict in a few words."""
    return "Nothing learned" if summary.useless else answer(summary.verdict)


def answer(verdict: Verdict) -> str:
    """A verdict in a few words."""
    if verdict.proven:
        return f"{verdict.winner} wins"
    if verdict.decision != "insufficient":
        return f"Take {verdict.recommended}"
    if verdict.recommended is None:
        return "No verdict yet"
    return f"No verdict yet: {verdict.recommended} leads" if len(verdict.intervals) > 1 else "No verdict yet"


def baseline(summary: Summary) -> str:
    """What the same answer for every image would score."""
    label, value = summary.baseline.label, score(summary.baseline.score, summary.settings.metric)
    answer = f"{literal(label)}, the class with the most training images," if label else "the classes' frequencies"
    return f"always answering {answer} scores {value} on the test images"


def lookalikes(summary: Summary) -> str:
    """What the techniques score without the test images that look like trained ones; empty where there are none."""
    seen = summary.lookalikes
    if seen is None:
        return ""
    images = f"{count(seen.images, 'test image')} of {summary.settings.data.test:,}"
    sentence = f"{images} {looks(seen.images)} like one that was trained or validated on"
    if not seen.scores:
        return f"{sentence}: the test scores prove nothing."
    return f"{sentence}; {_without_them(summary, seen.scores)}."


def doubtful_labels(summary: Summary) -> str:
    """What the verdict is without the test images whose labels are probably wrong; empty where there are none."""
    doubts = summary.doubts
    if doubts is None:
        return ""
    images = f"{count(len(doubts.images), 'test image')} of {summary.settings.data.test:,}"
    was, then = answer(summary.verdict), answer(doubts.verdict)
    outcome = "the verdict stays the same" if was == then else f"the verdict would be: {then}"
    return (
        f"every technique is sure that {images} {'is' if len(doubts.images) == 1 else 'are'} of another class than labelled; "
        f"{_without_them(summary, doubts.scores)}, and {outcome}."
    )


def _without_them(summary: Summary, scores: Mapping[Technique, float]) -> str:
    metric = summary.settings.metric
    parts = [
        f"{technique} {score(without, metric)} ({score(summary.tests[technique].mean, metric)} on all)"
        for technique, without in scores.items()
    ]
    return f"without them the techniques score: {listed(parts)}"


def nothing_learned(summary: Summary) -> str:
    """That the recommended technique is of no use; empty where it is."""
    if not summary.useless or summary.verdict.recommended is None:
        return ""
    test = score(summary.tests[summary.verdict.recommended].mean, summary.settings.metric)
    return f"{summary.verdict.recommended} scores {test}, and {baseline(summary)}: it is no better than not looking at them."


def best_recipe(summary: Summary) -> str:
    """The best recipe of the recommended technique; empty where none is recommended."""
    recipe = summary.recommended_recipe
    return f"The best recipe of {recipe.technique}: {in_words(recipe)}." if recipe else ""


def rule_of_thumb(summary: Summary) -> str:
    """What the blog post's rule of thumb expects, and whether it came so."""
    rule, verdict = summary.rule, summary.verdict
    agrees = rule.agrees(verdict.winner, verdict.beaten)
    if agrees is not None:
        return f"{rule.sentence} It is {'right' if agrees else 'wrong'} here."
    if verdict.decision == "tie" and rule.predicts is not None:
        return f"{rule.sentence} Nothing beats {rule.predicts} here, but it does not win either."
    return rule.sentence


def expectation(expected: Expectation) -> str:
    """What was to be expected of the techniques before the first trial."""
    gaps = [f"{technique} {_signed(gap)} ± {gap_number(half, 'accuracy')}" for technique, (gap, half) in expected.gaps.items()]
    sets = count(expected.sets, "other data set")
    return f"compared with frozen: {listed(gaps)} points of accuracy, going by searches of {sets}"


def came_true(summary: Summary) -> str:
    """What was to be expected before the first trial, and what was found; empty where nothing was known."""
    expected = summary.similarity.expected if summary.similarity else None
    if expected is None:
        return ""
    tested = {one.technique: one.test_accuracy.mean for one in summary.techniques if one.test_accuracy}
    frozen = next((mean for technique, mean in tested.items() if technique not in expected.gaps), None)
    if frozen is None:
        return expectation(expected)
    found = [f"{name} {_signed(tested[name] - frozen)}" for name in expected.gaps if name in tested]
    return f"{expectation(expected)}; tested: {listed(found)}" if found else expectation(expected)


def _signed(gap: float) -> str:
    number = gap_number(gap, "accuracy")
    return number if number.startswith("−") or float(number) == 0 else f"+{number}"


def started_from(summary: Summary) -> str:
    """Which recipes of other studies were tried first; empty where none was."""
    warm = summary.settings.warm_start
    if warm is None:
        return ""
    studies = []
    for study in warm.studies:
        own = [recipe for recipe in warm.recipes if recipe.study == study]
        named = [f"{one.technique} as in trial {one.trial} ({score(one.score, one.metric)} there)" for one in own]
        data = f" ({literal(own[0].data)})" if own else ""
        studies.append(f"{literal(study)}{data}: {listed(named) if named else 'nothing of it'}")
    return "; ".join(studies)


def spared(closed: ClosedTechnique) -> str:
    """Why a technique got no more trials."""
    more = f"{closed.left} more would raise the best score by {100 * closed.gain:.2f} points in expectation"
    return f"{closed.technique} after {closed.trials}: {more}"


def luck(summary: Summary) -> str:
    """How far the validation scores that the finalists were chosen by were luck; empty where nothing was confirmed."""
    metric, parts = summary.settings.metric, []
    # Each fold has finalists of its own, which other images were chosen by.
    for one in summary.techniques if summary.settings.data.folds == 1 else ():
        if one.best and one.confirmed_val_score is not None:
            parts.append(f"{one.technique} {score(one.best.score, metric)} ({score(one.confirmed_val_score, metric)})")
    return f"validation {metric_name(metric)} when chosen (and with other seeds): {listed(parts)}" if parts else ""


def trained_on(summary: Summary) -> str:
    """What the trials were trained on; empty where that was not recorded."""
    seen = dict.fromkeys((run.device, run.workers) for run in summary.runs)
    return "; ".join(
        f"{literal(device.name)}, {count(workers, 'worker')}, {literal(device.backend)}, {literal(device.dtype_policy)}"
        for device, workers in seen
    )


def time_spent(summary: Summary) -> str:
    """Where the time went."""
    timing = summary.timing
    phases = {
        PHASES["extract"]: timing.extract,
        PHASES["search"]: timing.train,
        PHASES["confirm"]: timing.confirm,
        "the rest": timing.overhead,
    }
    parts = [f"{name} {duration(seconds)}" for name, seconds in phases.items() if seconds]
    decoded = f"; {PHASES['decode']} before that {duration(timing.decode)}" if timing.decode and timing.decode >= 0.05 else ""
    return f"{duration(timing.total)}{' = ' if parts else ''}{' + '.join(parts)}{decoded}"
