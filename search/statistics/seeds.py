"""Where another training seed would help most, and whether any would.

Looking at a result again and again until it pleases makes a win by chance more frequent. But this does not wait for a win: it
goes by the expected regret, and stops for a tie as well. ``benchmarks/verdict.py`` counts the false wins.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ...spaces.recipe import Technique
from ..selection import maximized
from ..trial import Metric
from .bootstrap import Resampled
from .chances import MIN_IMAGES, Belief, choose

FIRST = 2
"""Seeds of each finalist before any is given more: of one nothing is known of the spread."""

ROUND = 2
"""Runs between two looks at the result."""

MOST = 10
"""Seeds of a finalist at most."""

AGREE = 3
"""Seeds of a finalist that two which disagree make necessary."""

FREEDOM = 3
"""Degrees of freedom of a difference below which its interval is so wide that it contradicts what is most likely: with one, as
two seeds that disagree give it, it takes 13 standard errors where the normal distribution has 2."""

DOUBT = 0.01
"""Probability that the choice costs more than one cares about from which on such an interval is mended."""

WORTH = 0.1
"""Share of what one cares about that any number of seeds must be able to save, or no more are trained."""

RESAMPLES = 2000
"""Enough for a look: a standard error is known to 2%."""


@dataclass(frozen=True, slots=True)
class Prospect:
    """What would be recommended if nothing more were trained, and what taking it would cost in expectation."""

    technique: Technique
    regret: float


def look(
    resampled: Mapping[Technique, Resampled],
    images: int,
    metric: Metric,
    seconds: Mapping[Technique, float],
    counts: Mapping[Technique, int],
    care: float,
) -> tuple[Prospect, Counter[Technique] | None]:
    """What would be recommended now, and how many seeds of which techniques to add; None for no more.

    Where two seeds disagree so much that the difference to the nearest rival rests on hardly anything else, a third is trained.
    Then `ROUND` seeds are added where they lower the least expected regret most. None are where that is at most ``care``, where
    more could hardly lower it, where the techniques have `MOST`, and on too few images to judge by.

    Args:
        resampled: As `resample` gives it; two techniques at least.
        images: Of the test split.
        metric: What was scored.
        seconds: Training time of a seed, by technique.
        counts: Seeds so far, those that failed included.
        care: Difference that matters, in the metric's unit.
    """
    belief = Belief(resampled, metric)
    chances = belief.chances(care)
    ranked = sorted(resampled, key=lambda technique: resampled[technique].score, reverse=maximized(metric))
    chosen = choose(ranked, seconds, chances, care)
    prospect = Prospect(chosen, chances[chosen].expected_regret)
    if images >= MIN_IMAGES and chances[chosen].within_care < 1 - DOUBT:
        rival = max((one for one in ranked if one is not chosen), key=lambda technique: chances[technique].probability_best)
        if (noisier := _noisier(chosen, rival, resampled)) and counts[noisier] < AGREE:
            return prospect, Counter([noisier])
    more: Counter[Technique] = Counter()
    open_ones = [technique for technique in resampled if counts[technique] < MOST]
    useful = belief.gain(dict.fromkeys(open_ones, math.inf)) >= WORTH * care
    if prospect.regret <= care or not useful or images < MIN_IMAGES:
        return prospect, None
    for _ in range(ROUND):
        if open_ones := [technique for technique in open_ones if counts[technique] + more[technique] < MOST]:
            more[max(open_ones, key=lambda technique: belief.gain(more + Counter([technique])))] += 1
    return prospect, more or None


def _noisier(chosen: Technique, rival: Technique, resampled: Mapping[Technique, Resampled]) -> Technique | None:
    """The one whose seeds differ more; None where enough is known of the difference between the two."""
    if resampled[chosen].freedom(resampled[rival]) >= FREEDOM:
        return None
    return max(chosen, rival, key=lambda technique: resampled[technique].between - resampled[technique].explained)
