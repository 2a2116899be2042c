"""What stands in the cells of tables, the same in every report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...search.trial import CompleteTrial
from ...spaces.recipe import Technique
from ..answer.summary import Summary
from ..answer.technique import TechniqueSummary, TestScore
from ..text import duration, gap, gap_number, in_words, likely, metric_name, percent, score

NOTHING = "–"
"""Of a value that is not known."""


@dataclass(frozen=True, slots=True)
class TechniqueCells:
    """A technique's row.

    Attributes:
        trials: How many it got.
        outcomes: How many of them failed, how many were pruned; only what there is.
        seconds: Time that its trials took.
        validation: Score of its best trial.
        parameters: That its best trial trained.
        fronts: The Pareto fronts that it is on: ``time``, ``parameters``.
        recipe: Of its best trial, or why there is none.
    """

    trials: str
    outcomes: list[str]
    seconds: str
    validation: str
    parameters: str
    fronts: list[str]
    recipe: str

    @classmethod
    def of(cls, one: TechniqueSummary, summary: Summary) -> TechniqueCells:
        """The row of one of a study's techniques."""
        best = one.best
        fronts = (("time", summary.pareto_seconds), ("parameters", summary.pareto_params))
        return cls(
            trials=str(len(one.trials)),
            outcomes=[f"{number} {word}" for number, word in ((one.failed, "failed"), (one.pruned, "pruned")) if number],
            seconds=duration(one.seconds) if one.trials else NOTHING,
            validation=score(best.score, summary.settings.metric) if best else NOTHING,
            parameters=f"{best.trainable_params:,}" if best else NOTHING,
            fronts=[name for name, front in fronts if one.technique in front],
            recipe=in_words(best.recipe) if best else "no trial completed" if one.trials else "not tried",
        )


def tested(test: TestScore | None, metric: str, separator: str = " ") -> str:
    """A test score with its interval in brackets: ``93.0% (91.2% to 94.6%)``."""
    return f"{score(test.mean, metric)}{separator}({interval(test, metric)})" if test else NOTHING


def interval(test: TestScore, metric: str) -> str:
    """The interval of a test score: ``91.2% to 94.6%``."""
    low, high = test.ci95
    return f"{score(low, metric)} to {score(high, metric)}"


def gap_interval(ci95: tuple[float, float], metric: str) -> str:
    """The interval of a difference, without its unit: ``8.1 to 10.6``."""
    low, high = ci95
    return f"{gap_number(low, metric)} to {gap_number(high, metric)}"


def differences(summary: Summary) -> Iterator[tuple[Technique, Technique, str, str, str, str]]:
    """Of each pair of techniques the better, the worse, the difference, its interval, its p value and the finding."""
    metric = summary.settings.metric
    for comparison in summary.verdict.comparisons:
        one = comparison if comparison.difference >= 0 else comparison.flipped()
        p = "< 0.001" if one.p < 0.001 else f"{one.p:.3f}"
        finding = "real" if one.real else "may be luck"
        yield one.a, one.b, gap(one.difference, metric), gap_interval(one.ci95, metric), p, finding


def certainty_columns(summary: Summary) -> tuple[str, str, str, str]:
    """Headings of `certainty`; ``#`` marks numbers."""
    care = gap(summary.verdict.care, summary.settings.metric)
    return "technique", "#best of all", "#expected regret", f"#within {care}"


def certainty(summary: Summary) -> Iterator[tuple[Technique, str, str, str]]:
    """Each technique with the probability that it is the best, its expected regret, and the probability that it will do."""
    for technique, one in summary.verdict.chances.items():
        regret = gap(one.expected_regret, summary.settings.metric)
        yield technique, likely(one.probability_best), regret, likely(one.within_care)


def recall(share: float) -> str:
    """The share of a class that was recognised, NaN where it has no test image."""
    return NOTHING if math.isnan(share) else percent(share)


def best_epoch(trial: CompleteTrial) -> str:
    """The epoch of a trial's score, among those that it trained: ``3 of 10``; ``head`` where none was better than its start."""
    trained = max((m.epoch for m in trial.curve), default=trial.best_epoch)
    return f"{trial.best_epoch} of {trained}" if trial.best_epoch else "head"


def ranking(trials: Sequence[CompleteTrial], metric: str) -> str:
    """What a table of trials is sorted by, and what ``head`` means where it occurs."""
    sorted_by = f"by validation {metric_name(metric)}"
    if all(trial.best_epoch for trial in trials):
        return sorted_by
    return f"{sorted_by}; head: no epoch was better than the head that it began with, so it is the frozen network"
