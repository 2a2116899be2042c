"""Who wins, by how much, and whether the difference is real: what is decided, and the sentence that says so.

What is recommended is what one would choose: the quickest to train of the techniques whose *expected* regret (`chances`) is
no more than one cares about. Whether that is proven is another question. A technique wins only if it beats each of the others:
the 95% interval of the difference excludes zero, and its p value, adjusted for all comparisons, is below `ALPHA` (`bootstrap`).
Anything else is a tie, or too little to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...search.data.split import FEWEST_FOLDS
from ...search.selection import maximized
from ...search.statistics.bootstrap import NO_TIES, RESAMPLES, Resampled, Ties, holm, percentile_interval, resample, two_sided_p
from ...search.statistics.chances import CARE, MIN_IMAGES, Belief, Chance, choose
from ...search.trial import Metric
from ...spaces.recipe import Technique
from ..text import count, gap, gap_number, likely, listed
from .outlook import POWER_FACTOR, Outlook, outlook

ALPHA = 0.05
"""Probability, over all comparisons of a study, of calling a difference real that is not."""

MIN_SEEDS = 2
"""Without a second seed nothing is known of the spread between seeds."""

_INTERVAL_FACTOR = 2 * 1.96
"""Standard errors that a 95% interval is wide. Taken from the interval, a standard error is not carried off by the long tails
that few seeds give the draws."""

_NUMBERS = {2: "two", 3: "three"}

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
        outlook: What more seeds or images would tell; None where it was not measured.
    """

    a: Technique
    b: Technique
    difference: float
    ci95: tuple[float, float]
    p: float
    detectable: float
    outlook: Outlook | None = None

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
        return Comparison(self.b, self.a, -self.difference, (-high, -low), self.p, self.detectable, self.outlook)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer.

    Attributes:
        winner: Of a ``win``.
        recommended: The quickest to train of the techniques whose expected regret is at most ``care``, or hardly more than the
            least one; where there is too little to say, the best score. None where nothing was confirmed.
        comparisons: Of each pair, in the order of `Technique`.
        intervals: 95% interval of each technique's own score.
        reason: One plain sentence.
        chances: Of each technique; empty where there is too little to say.
        care: Difference that matters, in the metric's unit.
    """

    decision: Decision
    winner: Technique | None
    recommended: Technique | None
    comparisons: tuple[Comparison, ...]
    intervals: Mapping[Technique, tuple[float, float]]
    reason: str
    chances: Mapping[Technique, Chance] = field(default_factory=dict)
    care: float = CARE

    @property
    def proven(self) -> bool:
        """Whether the recommended technique beats each of the others for real."""
        return self.winner is not None and self.winner is self.recommended

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
    ties: Ties = NO_TIES,
    untried: Sequence[Technique] = (),
    care: float | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Verdict:
    """The verdict over confirmed techniques.

    Args:
        predictions: By technique; all over the same test images.
        labels: Of the test images, ``(n,)``; None where nothing was confirmed.
        metric: What is compared.
        ties: Between the test images.
        untried: Techniques that were asked for and got no trial.
        care: As in `Verdict`; None for `CARE`.
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
    resampled = resample(by_technique, labels, metric, ties=ties, seed=seed, resamples=resamples)
    intervals = {technique: one.ci95 for technique, one in resampled.items()}
    comparisons = _compare(resampled, metric, len(labels))
    ranked = sorted(resampled, key=lambda technique: resampled[technique].score, reverse=maximized(metric))
    if lacking := _lacking(ranked, predictions, labels, ties, untried):
        return Verdict("insufficient", None, ranked[0], comparisons, intervals, lacking)
    seconds = {technique: one.seconds for technique, one in predictions.items()}
    care = CARE if care is None else care
    found = Belief(resampled, metric).chances(care)
    chosen = choose(ranked, seconds, found, care)
    return decide(ranked, chosen, comparisons, intervals, metric, found, care)


def _lacking(
    ranked: list[Technique],
    predictions: Mapping[Technique, Predictions],
    labels: NDArray[np.int64],
    ties: Ties,
    untried: Sequence[Technique],
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
    images, fewest = len(labels), min(len(one.probabilities) for one in predictions.values())
    if ties.folds is not None:
        if (done := len(np.unique(ties.folds))) < FEWEST_FOLDS:
            few.append(count(done, "fold"))
            needed.append(f"{FEWEST_FOLDS} folds (the same run command goes on)")
    elif fewest < MIN_SEEDS:
        few.append(count(fewest, "training seed"))
        needed.append(f"{MIN_SEEDS} seeds (better 3: --confirm 3)")
    if ties.groups is not None and (apart := len(np.unique(ties.groups))) < MIN_IMAGES <= images:
        few.append(f"test images of {count(apart, 'group')}")
        needed.append(f"test images of {MIN_IMAGES} groups")
    elif images < MIN_IMAGES:
        few.append(count(images, "test image"))
        needed.append(f"{MIN_IMAGES} test images")
    if not few:
        return ""
    return f"{best} scored best, but {listed(few)} cannot tell skill from luck: at least {listed(needed)} would do."


def decide(
    ranked: list[Technique],
    chosen: Technique,
    comparisons: tuple[Comparison, ...],
    intervals: Mapping[Technique, tuple[float, float]],
    metric: Metric,
    chances: Mapping[Technique, Chance],
    care: float = CARE,
) -> Verdict:
    """The verdict over techniques that can be compared.

    Args:
        ranked: By score, the best first; two at least.
        chosen: The technique to take.
        comparisons: Of each pair.
        intervals: As in `Verdict`.
        metric: What is compared.
        chances: As in `Verdict`.
        care: As in `Verdict`.
    """
    best = ranked[0]
    against = [c if c.a is best else c.flipped() for c in comparisons if best in (c.a, c.b)]
    winner = best if all(c.beaten is c.b for c in against) else None
    if winner is chosen:
        reason = _of_a_win(ranked, against, metric)
    else:
        reason = _of_a_choice(chosen, ranked, winner, chances, metric, care)
    return Verdict("win" if winner else "tie", winner, chosen, comparisons, intervals, reason, chances, care)


def _of_a_win(ranked: list[Technique], against: list[Comparison], metric: Metric) -> str:
    nearest = next(c for c in against if c.b is ranked[1])
    others = f" and {ranked[2]} by more" if len(ranked) > 2 else ""
    low, high = nearest.ci95
    return (
        f"{ranked[0]} beats {ranked[1]} by {gap(nearest.difference, metric)} (95% interval {gap_number(low, metric)} to "
        f"{gap_number(high, metric)}){others}: luck alone does not explain that."
    )


def _of_a_choice(
    chosen: Technique,
    ranked: Sequence[Technique],
    winner: Technique | None,
    chances: Mapping[Technique, Chance],
    metric: Metric,
    care: float,
) -> str:
    own, others = chances[chosen], [technique for technique in ranked if technique is not chosen]
    if winner is not None:
        return (
            f"{winner} is better, but taking {chosen}, which trains more quickly, costs {gap(own.expected_regret, metric)} in "
            f"expectation, where less than {gap(care, metric)} does not matter."
        )
    costs = listed([f"{technique} {gap(chances[technique].expected_regret, metric)}" for technique in others])
    taking = f"taking it costs {gap(own.expected_regret, metric)} in expectation"
    if any(chances[technique].expected_regret < own.expected_regret for technique in others):
        little = f"at most {gap(care, metric)}" if own.expected_regret <= care else "about the least"
        return f"{chosen} is the quickest to train of those that cost {little}: {taking}, {costs}."
    also = any(chances[technique].expected_regret <= care for technique in others)
    quickest = f", and the quickest to train of those that cost at most {gap(care, metric)}" if also else ""
    best = f"{chosen} is the best of the {_NUMBERS[len(ranked)]} with a probability of {likely(own.probability_best)}"
    return f"{best}{quickest}; {taking}, {costs}."


def _compare(resampled: Mapping[Technique, Resampled], metric: Metric, images: int) -> tuple[Comparison, ...]:
    sign = 1.0 if maximized(metric) else -1.0
    pairs = list(combinations(resampled, 2))
    draws = [sign * resampled[a].minus(resampled[b]) for a, b in pairs]
    comparisons = []
    for (a, b), drawn, p in zip(pairs, draws, holm([two_sided_p(drawn) for drawn in draws]), strict=True):
        low, high = percentile_interval(drawn)
        most = resampled[a].highest
        ci95 = max(low, -most), min(high, most)
        now = (ci95[1] - ci95[0]) / 2
        comparisons.append(
            Comparison(
                a=a,
                b=b,
                difference=sign * (resampled[a].score - resampled[b].score),
                ci95=ci95,
                p=p,
                detectable=POWER_FACTOR * (high - low) / _INTERVAL_FACTOR,
                outlook=outlook(resampled[a], resampled[b], images, now) if resampled[a].by_fold is None else None,
            )
        )
    return tuple(comparisons)
