"""Which of several scores is better, and which trial of each technique is its finalist."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean
from typing import Any

from ..spaces.recipe import Recipe, Technique
from .trial import CompleteTrial, Measurement, Metric, Trial


def finalists(trials: Sequence[Trial], metric: Metric) -> dict[Technique, CompleteTrial]:
    """Each technique's best complete trial on the validation split; where several tie, the earliest.

    Of trials of several folds, whose validation images differ, a recipe's score is its mean over the folds that tried it, and
    only recipes are candidates that as many folds have tried as any: one that a single fold proposed may owe its score to that
    fold's images.
    """
    best: dict[Technique, CompleteTrial] = {}
    for trial in _over_folds([trial for trial in trials if isinstance(trial, CompleteTrial)]):
        technique = trial.recipe.technique
        if technique not in best or better(metric, trial.score, best[technique].score):
            best[technique] = trial
    return {technique: best[technique] for technique in Technique if technique in best}


def _over_folds(trials: Sequence[CompleteTrial]) -> Iterator[CompleteTrial]:
    """The first trial of each recipe that most folds have tried, with the mean of its scores; all where there are no folds."""
    if len({trial.fold for trial in trials}) < 2:
        yield from trials
        return
    by_recipe: dict[Recipe, list[CompleteTrial]] = {}
    for trial in trials:
        by_recipe.setdefault(trial.recipe, []).append(trial)
    most: dict[Technique, int] = {}
    for recipe, own in by_recipe.items():
        most[recipe.technique] = max(most.get(recipe.technique, 0), len({trial.fold for trial in own}))
    for recipe, own in by_recipe.items():
        if len({trial.fold for trial in own}) == most[recipe.technique]:
            score, accuracy = (fmean(values) for values in zip(*((t.score, t.val_accuracy) for t in own), strict=True))
            yield dataclasses.replace(own[0], score=score, val_accuracy=accuracy)


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
