"""Which of several scores is better, and which trial of each technique is its finalist."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..spaces.recipe import Technique
from .trial import CompleteTrial, Measurement, Metric, Repeat, Trial

MOST_CONTENDERS = 2
"""Trials of a technique that are trained again before its finalist is chosen, at most."""


def contenders(trials: Sequence[Trial], metric: Metric, images: int) -> dict[Technique, tuple[CompleteTrial, ...]]:
    """The complete trials of each technique that cannot be told apart from its best; the best first, of equals the earliest.

    Args:
        trials: Of a study.
        metric: The study's.
        images: Of the validation split.
    """
    found: dict[Technique, tuple[CompleteTrial, ...]] = {}
    for technique in Technique:
        own = [trial for trial in trials if isinstance(trial, CompleteTrial) and trial.recipe.technique is technique]
        own.sort(key=lambda trial: (-_goodness(metric, trial.score), trial.number))
        if own:
            found[technique] = tuple(t for t in own if within_noise(metric, t.score, own[0].score, images))[:MOST_CONTENDERS]
    return found


def finalists(
    trials: Sequence[Trial], metric: Metric, images: int, repeats: Sequence[Repeat] = ()
) -> dict[Technique, CompleteTrial]:
    """The trial of each technique that meets the test split.

    Of the `contenders` that were trained again it is the one with the best mean of both scores; where none was, the best.

    Args:
        trials: As in `contenders`.
        metric: As in `contenders`.
        images: As in `contenders`.
        repeats: Of the study.
    """
    again = {repeat.trial: repeat.score for repeat in repeats}
    found = {}
    for technique, own in contenders(trials, metric, images).items():
        repeated = [trial for trial in own if trial.number in again]
        found[technique] = max(repeated, key=lambda trial: _goodness(metric, trial.score + again[trial.number]), default=own[0])
    return found


def _goodness(metric: Metric, score: float) -> float:
    return score if maximized(metric) else -score


def maximized(metric: Metric) -> bool:
    """Whether higher is better: true of all but ``log_loss``."""
    return metric != "log_loss"


def better(metric: Metric, score: float, than: float) -> bool:
    """Whether ``score`` is strictly better ``than`` the other."""
    return score > than if maximized(metric) else score < than


def within_noise(metric: Metric, score: float, best: float, images: int) -> bool:
    """Whether a score on so many images is at most one standard error worse than the best; a loss only if it is no worse.

    The standard error is that of a share of the images, √(best · (1 − best) / images).
    """
    if not maximized(metric):
        return score <= best
    return score >= best - math.sqrt(max(0.0, best * (1 - best)) / max(1, images))


class Candidates:
    """The epochs of a run that may be its best, with what each left.

    An accuracy of a few hundred images jumps by chance from epoch to epoch, and the highest is the luckiest. So the choice is
    made among the epochs that are `within_noise` of the highest score: the one-standard-error rule (Breiman et al. 1984,
    section 3.4.3).

    Args:
        metric: The study's.
        images: Of the validation split.
        prefer: Of these epochs, the one is chosen for which this is highest.
        start: The state before the first epoch and what it holds. It may be chosen too, and nothing worse is; None to leave
            it out.
    """

    def __init__(
        self,
        metric: Metric,
        images: int,
        prefer: Callable[[Measurement], float],
        start: tuple[Measurement, Any] | None = None,
    ) -> None:
        self._metric: Metric = metric
        self._images = images
        self._prefer = prefer
        self._start = start[0].score if start else None
        self._kept: list[tuple[Measurement, Any]] = [start] if start else []

    def add(self, measurement: Measurement, snapshot: Callable[[], Any]) -> None:
        """Takes the next epoch into account; ``snapshot`` is called only where it may be chosen."""
        below = self._start is not None and better(self._metric, self._start, measurement.score)
        if below or any(self._beats(kept, measurement) for kept, _ in self._kept):
            return
        kept = [one for one in self._kept if not self._beats(measurement, one[0])]
        kept.append((measurement, snapshot()))
        best = (max if maximized(self._metric) else min)(one.score for one, _ in kept)
        self._kept = [one for one in kept if within_noise(self._metric, one[0].score, best, self._images)]

    @property
    def choice(self) -> tuple[Measurement, Any]:
        """The chosen epoch, and what it left."""
        return max(self._kept, key=lambda one: self._prefer(one[0]))

    def _beats(self, one: Measurement, other: Measurement) -> bool:
        """Whether ``other`` cannot be chosen beside ``one``."""
        return not better(self._metric, other.score, one.score) and self._prefer(one) >= self._prefer(other)
