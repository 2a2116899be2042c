"""Who wins, by how much, and whether the difference is real: what is decided, and the sentence that says so.

The statistics are those of `bootstrap`. A technique wins only if it beats each of the others: the 95% interval of the
difference excludes zero, and its p value, adjusted for all comparisons, is below `ALPHA`. Anything else is a tie, or too little
to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...search.selection import maximized
from ...search.trial import Metric
from ...spaces.recipe import Technique
from ..text import count, gap, gap_number, listed
from .bootstrap import RESAMPLES, Resampled, holm, percentile_interval, resample, two_sided_p

ALPHA = 0.05
"""Probability, over all comparisons of a study, of calling a difference real that is not."""

MIN_SEEDS = 2
"""Without a second seed nothing is known of the spread between seeds."""

MIN_IMAGES = 50
"""Test images below which a percentile interval of an accuracy is too narrow to trust."""

_POWER_FACTOR = 2.8
"""z(0.975) + z(0.80): a difference of so many standard errors is found four times in five (Cohen 1988, section 2.4)."""

_INTERVAL_FACTOR = 2 * 1.96
"""Standard errors that a 95% interval is wide. Taken from the interval, a standard error is not carried off by the long tails
that few seeds give the draws."""

Decision = Literal["win", "tie", "insufficient"]


@dataclass(frozen=True, slots=True)
class Predictions:
    """Test predictions of one technique, ``(seeds, n, classes)``, and the mean seconds of training with one seed."""

    probabilities: NDArray[np.float32]
    seconds: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much better ``a`` is than ``b``; positive means better, whatever the metric.

    Attributes:
        difference: Of the scores; of ``log_loss`` its negative, since less is better.
        p: Adjusted by Holm's method.
        detectable: Smallest difference that a test split of this size and this spread of seeds finds four times in five.
    """

    a: Technique
    b: Technique
    difference: float
    ci95: tuple[float, float]
    p: float
    detectable: float

    @property
    def real(self) -> bool:
        """Whether chance is an unlikely explanation of the difference."""
        return self.p < ALPHA and (self.ci95[0] > 0 or self.ci95[1] < 0)

    @property
    def beaten(self) -> Technique | None:
        """The worse of the two where the difference is real."""
        if not self.real:
            return None
        return self.b if self.ci95[0] > 0 else self.a

    def flipped(self) -> Comparison:
        """The same, seen from ``b``."""
        low, high = self.ci95
        return Comparison(self.b, self.a, -self.difference, (-high, -low), self.p, self.detectable)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer.

    Attributes:
        winner: Of a ``win``.
        recommended: The winner; of a tie the cheapest of those that nothing beats; else the best score. None where nothing
            was confirmed.
        comparisons: Of each pair, in the order of `Technique`.
        intervals: 95% interval of each technique's own score.
        reason: One plain sentence.
    """

    decision: Decision
    winner: Technique | None
    recommended: Technique | None
    comparisons: tuple[Comparison, ...]
    intervals: Mapping[Technique, tuple[float, float]]
    reason: str

    @property
    def beaten(self) -> frozenset[Technique]:
        """Techniques that another one beats for real; none where there is too little to say."""
        if self.decision == "insufficient":
            return frozenset()
        return frozenset(c.beaten for c in self.comparisons if c.beaten is not None)


def judge(
    predictions: Mapping[Technique, Predictions],
    labels: NDArray[np.int64] | None,
    metric: Metric,
    *,
    untried: Sequence[Technique] = (),
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Verdict:
    """The verdict over confirmed techniques.

    Args:
        predictions: By technique; all over the same test images.
        labels: Of the test images, ``(n,)``; None where nothing was confirmed.
        metric: What is compared.
        untried: Techniques that were asked for and got no trial.
        seed: Of the resampling.
        resamples: How many.
    """
    if labels is None or not predictions:
        reason = (
            "Nothing has been tested yet: the same run command with --confirm 3 trains each technique's best recipe again "
            "and tests it."
        )
        return Verdict("insufficient", None, None, (), {}, reason)
    by_technique = {technique: one.probabilities for technique, one in predictions.items()}
    resampled = resample(by_technique, labels, metric, seed=seed, resamples=resamples)
    intervals = {technique: one.ci95 for technique, one in resampled.items()}
    comparisons = _compare(resampled, metric)
    ranked = sorted(resampled, key=lambda technique: resampled[technique].score, reverse=maximized(metric))
    if lacking := _lacking(ranked, predictions, len(labels), untried):
        return Verdict("insufficient", None, ranked[0], comparisons, intervals, lacking)
    seconds = {technique: one.seconds for technique, one in predictions.items()}
    return decide(ranked, seconds, comparisons, intervals, metric)


def _lacking(
    ranked: list[Technique], predictions: Mapping[Technique, Predictions], images: int, untried: Sequence[Technique]
) -> str:
    """What keeps the techniques from being compared, and what would mend it; empty where nothing does."""
    best = ranked[0]
    if untried:
        tested = f"{best} scored best" if len(ranked) > 1 else f"Only {best} has been tested"
        return f"{tested}, but {listed(untried)} had no trial: the same run command with more --trials or time gets to it."
    if len(ranked) < 2:
        return (
            f"Only {best} has been tested, so there is nothing to compare it with: a search over two techniques or more, with "
            "--trials enough to try each, would give it a rival."
        )
    few, needed = [], []
    fewest = min(len(one.probabilities) for one in predictions.values())
    if fewest < MIN_SEEDS:
        few.append(count(fewest, "training seed"))
        needed.append(f"{MIN_SEEDS} seeds (better 3: --confirm 3)")
    if images < MIN_IMAGES:
        few.append(count(images, "test image"))
        needed.append(f"{MIN_IMAGES} test images")
    if not few:
        return ""
    return f"{best} scored best, but {listed(few)} cannot tell skill from luck: at least {listed(needed)} would do."


def decide(
    ranked: list[Technique],
    seconds: Mapping[Technique, float],
    comparisons: tuple[Comparison, ...],
    intervals: Mapping[Technique, tuple[float, float]],
    metric: Metric,
) -> Verdict:
    """The verdict over techniques that can be compared.

    Args:
        ranked: By score, the best first; two at least.
        seconds: Training time of a seed, by technique.
        comparisons: Of each pair.
        intervals: As in `Verdict`.
        metric: What is compared.
    """
    best = ranked[0]
    against = [c if c.a is best else c.flipped() for c in comparisons if best in (c.a, c.b)]
    tied = [best, *(technique for technique in ranked for c in against if c.b is technique and c.beaten is not technique)]
    if len(tied) == 1:
        return Verdict("win", best, best, comparisons, intervals, _of_a_win(ranked, against, metric))
    beaten = {c.beaten for c in comparisons}
    unbeaten = [technique for technique in tied if technique not in beaten]
    chosen = min(unbeaten or tied, key=seconds.__getitem__)
    detectable = max(c.detectable for c in against if c.b in tied)
    reason = (
        f"{listed(tied)} cannot be told apart (on this test split a difference below {gap(detectable, metric)} would often go "
        f"unnoticed), {_of_a_choice(chosen, tied, unbeaten, comparisons)}."
    )
    return Verdict("tie", None, chosen, comparisons, intervals, reason)


def _of_a_win(ranked: list[Technique], against: list[Comparison], metric: Metric) -> str:
    nearest = next(c for c in against if c.b is ranked[1])
    others = f" and {ranked[2]} by more" if len(ranked) > 2 else ""
    low, high = nearest.ci95
    return (
        f"{ranked[0]} beats {ranked[1]} by {gap(nearest.difference, metric)} (95% interval {gap_number(low, metric)} to "
        f"{gap_number(high, metric)}){others}: luck alone does not explain that."
    )


def _of_a_choice(
    chosen: Technique, tied: list[Technique], unbeaten: list[Technique], comparisons: tuple[Comparison, ...]
) -> str:
    if len(unbeaten) in (0, len(tied)):
        return f"so take {chosen}, the quickest of them to train"
    losses = [f"{c.beaten} loses to {c.b if c.beaten is c.a else c.a}" for c in comparisons if c.beaten in tied]
    which = "which loses to none" if len(unbeaten) == 1 else "of the others the quickest to train"
    return f"but {listed(losses)}, so take {chosen}, {which}"


def _compare(resampled: Mapping[Technique, Resampled], metric: Metric) -> tuple[Comparison, ...]:
    sign = 1.0 if maximized(metric) else -1.0
    pairs = list(combinations(resampled, 2))
    draws = [sign * resampled[a].minus(resampled[b]) for a, b in pairs]
    comparisons = []
    for (a, b), drawn, p in zip(pairs, draws, holm([two_sided_p(drawn) for drawn in draws]), strict=True):
        low, high = percentile_interval(drawn)
        most = resampled[a].highest
        comparisons.append(
            Comparison(
                a=a,
                b=b,
                difference=sign * (resampled[a].score - resampled[b].score),
                ci95=percentile_interval(drawn, -most, most),
                p=p,
                detectable=_POWER_FACTOR * (high - low) / _INTERVAL_FACTOR,
            )
        )
    return tuple(comparisons)
