"""How likely each technique is to be the best, and what taking it costs in expectation: what one needs to decide.

The techniques' test scores are observed with an error of images and seeds whose covariance C is that of `bootstrap`: of the
resamples, with what seeds add on the diagonal. Only the gaps between techniques matter. Before the study a gap is taken to be
normal about 0 with standard deviation τ (`PRIOR_SD`); then it is normal after it too (Gelman et al. 2013, section 3.5). With λ
the variance of the error along one of C's axes, and z what was observed along it,

    gap ~ Normal(z · p / (p + λ), p · λ / (p + λ)),    p = τ² / 2

since the gap of two techniques has twice the variance of either. As C is known from few seeds, λ is drawn anew each time:
multiplied by f / χ²(f), with f Satterthwaite's degrees of freedom, as in `bootstrap`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...search.selection import maximized
from ...search.trial import Metric
from ...spaces.recipe import Technique
from .bootstrap import Resampled

PRIOR_SD = 0.033
"""τ, in the metric's unit: the median gap between two techniques' finalists on fifteen real data sets, 2.2 points, divided by
0.674 (``docs/verdict.md``). Some gaps there are 20 points: those are so far from 0 that no prior matters."""

_PRIOR = PRIOR_SD**2 / 2

DRAWS = 20_000
"""Enough for a probability to be known to 0.4 points."""

_SEED = (20_070, 2)


@dataclass(frozen=True, slots=True)
class Chance:
    """What may be expected of one technique.

    Attributes:
        probability_best: That its score is the highest of all techniques.
        expected_regret: By how much the best technique's score exceeds its own, on average; 0 where it is surely the best.
        within_care: Probability that the best technique's score exceeds its own by no more than one cares about.
    """

    probability_best: float
    expected_regret: float
    within_care: float


def chances(resampled: Mapping[Technique, Resampled], metric: Metric, care: float) -> dict[Technique, Chance]:
    """The chances of techniques that were tested on the same images, two at least.

    Args:
        resampled: As `resample` gives it.
        metric: What was scored.
        care: Difference that matters, in the metric's unit.
    """
    sign, own = 1.0 if maximized(metric) else -1.0, list(resampled.values())
    added = _added(own)
    error = np.cov(np.stack([one.draws for one in own])) + np.diag(added)
    # An orthonormal basis of the differences: all directions but that in which every score moves alike.
    basis = np.linalg.svd(np.ones((1, len(own))))[2][1:]
    variances, axes = np.linalg.eigh(basis @ error @ basis.T)
    observed = axes.T @ basis @ (sign * np.array([one.score for one in own]))
    rng = np.random.default_rng(_SEED)
    scale = _uncertainty(own, float(np.trace(error)), rng) if added.any() else np.ones(DRAWS)
    noise = np.clip(variances, 1e-12, None) * scale[:, None]
    kept = _PRIOR / (_PRIOR + noise)
    gaps = kept * observed + np.sqrt(kept * noise) * rng.standard_normal(noise.shape)
    scores = gaps @ axes.T @ basis
    regrets = scores.max(axis=1, keepdims=True) - scores
    return {
        technique: Chance(float((lost == 0).mean()), float(lost.mean()), float((lost <= care).mean()))
        for technique, lost in zip(resampled, regrets.T, strict=True)
    }


def _added(own: list[Resampled]) -> np.ndarray:
    """What seeds add to the variance of each score. All together it is estimated without bias, and so is not below 0."""
    excess = np.array([one.between - one.explained for one in own])
    above = excess.clip(0)
    return np.asarray(above * max(0.0, excess.sum()) / max(above.sum(), 1e-12))


def _uncertainty(own: list[Resampled], total: float, rng: np.random.Generator) -> np.ndarray:
    """What the error's variance is multiplied by in each draw, as seeds are few that add to it."""
    uncertainty = sum(one.between**2 / (one.seeds - 1) for one in own if one.seeds > 1)
    freedom = max(total**2 / uncertainty, min(one.seeds - 1 for one in own if one.seeds > 1))
    return np.asarray(freedom / rng.chisquare(freedom, DRAWS))
