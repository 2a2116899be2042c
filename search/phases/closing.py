"""Which techniques get no more trials, because what these may still bring is worth less than the time that they take.

The k-th trial of a technique lowers the error of its best one by `IMPROVED` / k² of it on average: much at first, then less
and less. What a technique may still gain so only counts where it then is the best, and by how much it leads or trails is known
as well as the validation images tell. With δ its lead over the best of the others, σ the standard error of δ and d what the
trials that are left should bring, they raise the score of the best technique by

    E[max(0, δ + d + σZ)] − E[max(0, δ + σZ)],  Z standard normal,

the expected improvement of Bayesian optimisation (Jones, Schonlau & Welch 1998) of a technique, not of a point. A technique is
closed where that is less than `WORTH` of the difference that one cares about.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from ...spaces.recipe import Technique
from ..engines.by_technique import Shares, next_turn, shares_of
from ..selection import finalists, maximized
from ..storage.store import StudyStore
from ..trial import ClosedTechnique, CompleteTrial, Metric, PrunedTrial, Trial

IMPROVED = 0.3
"""Share of the error of a technique's best trial that the next one takes off it, times the square of how many there are."""

WORTH = 0.1
"""Of the difference that matters: what the trials that are left of a technique must be able to bring."""

LEAST = 2
"""Trials of a technique before it may be closed."""

PAIRED = 0.5
"""Of the variance of a difference between two scores what is left of it where both are of the same images."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the search for one technique is.

    Attributes:
        score: Of its best trial on the validation split, a share of 1.
        tried: Trials that have told something.
        left: Trials that it would still get.
    """

    score: float
    tried: int
    left: int


def standings(
    trials: Sequence[Trial], techniques: Collection[Technique], left: int, metric: Metric, shares: Shares
) -> dict[Technique, Standing]:
    """The standing of each technique that has a complete trial.

    Args:
        trials: Of the study, running ones too.
        techniques: That still get trials.
        left: Trials that are still to begin.
        metric: What was scored.
        shares: By which the techniques take turns.
    """
    best = finalists(trials, metric)
    turns = Counter(trial.recipe.technique for trial in trials)
    before = turns.copy()
    for _ in range(left if techniques else 0):
        turns[next_turn(turns, techniques, shares)] += 1
    tried = Counter(trial.recipe.technique for trial in trials if isinstance(trial, CompleteTrial | PrunedTrial))
    return {one: Standing(trial.score, tried[one], turns[one] - before[one]) for one, trial in best.items()}


def gains(found: Mapping[Technique, Standing], images: int) -> dict[Technique, float]:
    """By how much the trials left of each technique raise the score of the best one in expectation.

    Args:
        found: Two techniques at least.
        images: Of the validation split.
    """
    # One more image right and one more wrong, so that no score is beyond doubt (Laplace's rule of succession).
    errors = {one: ((1 - standing.score) * images + 1) / (images + 2) for one, standing in found.items()}
    gained = {}
    for technique, standing in found.items():
        own, rival = errors[technique], min(error for other, error in errors.items() if other is not technique)
        deviation = math.sqrt(PAIRED * (own * (1 - own) + rival * (1 - rival)) / images)
        share = IMPROVED * sum(1 / number**2 for number in range(standing.tried, standing.tried + standing.left))
        lead, better = rival - own, rival - own * (1 - min(1.0, share))
        gained[technique] = _beyond_zero(better, deviation) - _beyond_zero(lead, deviation)
    return gained


def closed(
    trials: Sequence[Trial],
    techniques: Collection[Technique],
    left: int,
    *,
    metric: Metric,
    shares: Shares,
    images: int,
    care: float,
) -> list[ClosedTechnique]:
    """Techniques that are not worth the trials they would still get; none where scores are losses, whose noise is not known.

    ``images`` are those of the validation split, ``care`` is the difference that matters; the others are those of `standings`.
    """
    found = standings(trials, techniques, left, metric, shares)
    if len(found) < 2 or not maximized(metric):
        return []
    gained = gains(found, images)
    return [
        ClosedTechnique(technique, standing.tried, standing.left, gained[technique])
        for technique, standing in found.items()
        if technique in techniques and standing.left and standing.tried >= LEAST and gained[technique] < WORTH * care
    ]


class Closing:
    """The closed techniques of a search, those among them that an earlier run of as many trials and no larger ``care`` closed.

    Args:
        store: Of the study, or of one of its folds.
        techniques: That are searched for.
        asked: Trials that the search was asked for.
        care: Difference that matters, in the metric's unit; None closes nothing.
    """

    def __init__(self, store: StudyStore, techniques: Collection[Technique], asked: int, care: float | None) -> None:
        self._store, self._all, self._asked, self._care = store, techniques, asked, care
        self._closed = () if care is None else store.notes.closed_for(asked, care)
        if not self._closed and store.notes.closed():
            # What an earlier run closed is open again.
            store.notes.keep_closed(asked, care or 0.0, ())
        self._judged = 0

    @property
    def techniques(self) -> frozenset[Technique]:
        """Those that are closed."""
        return frozenset(one.technique for one in self._closed)

    @property
    def total(self) -> int:
        """Trials that the search consists of: those that were asked for, but for what closed techniques would have got."""
        return self._asked - sum(one.left for one in self._closed)

    def look(self, finished: Sequence[Trial], running: Sequence[Trial], begun: int) -> list[ClosedTechnique]:
        """Closes what is to be closed by the trials that have finished since the last look, and returns it.

        Args:
            finished: Trials that count.
            running: Those that are being trained here.
            begun: Trials that have finished or are being trained, anywhere.
        """
        if self._care is None or len(finished) == self._judged:
            return []
        self._judged = len(finished)
        settings = self._store.settings
        new = closed(
            [*finished, *running],
            [technique for technique in self._all if technique not in self.techniques],
            self.total - begun,
            metric=settings.metric,
            shares=shares_of(settings.data.train),
            images=settings.data.val,
            care=self._care,
        )
        if new:
            self._closed = (*self._closed, *new)
            self._store.notes.keep_closed(self._asked, self._care, self._closed)
        return new


def _beyond_zero(mean: float, deviation: float) -> float:
    """The expectation of what a normal variable exceeds 0 by."""
    standard = NormalDist()
    return mean * standard.cdf(mean / deviation) + deviation * standard.pdf(mean / deviation)
