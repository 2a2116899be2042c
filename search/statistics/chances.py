"""How likely each technique is to be the best, and what taking it costs in expectation: what one needs to decide.

The techniques' test scores are observed with an error of images and seeds. What images do to them, and each seed to single
images, is the covariance of `bootstrap`'s resamples. What seeds do to a whole score, σ² / K for K of them, comes on top. Few
seeds tell little of σ, so it is drawn anew each time: its prior is half-Cauchy with scale `Prior.seeds` (Gelman 2006),
and the seeds' sample variance s² is distributed as (σ² + v) · χ²(K − 1) / (K − 1), where v is what images alone explain of it.

Where the images are divided into folds, the covariance of the folds' scores, drawn anew each time as in a Student's t, stands
in place of both, unless the images alone explain more.

Only the gaps between techniques matter. Before the study a gap is taken to be normal about 0 with standard deviation τ
(`Prior.gap`); then it is normal after it too (Gelman et al. 2013, section 3.5). In an orthonormal basis of the gaps, with E the
covariance of the error and g what was observed,

    gaps ~ Normal(p · (p + E)⁻¹ g, p · (p + E)⁻¹ E),    p = τ² / 2

since the gap of two techniques has twice the variance of either. What more seeds are worth is by how much they lower the
expected regret of the best choice, on average over what they may show: the knowledge gradient of Frazier, Powell & Dayanik
(2009).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...spaces.recipe import Technique
from ..selection import maximized
from ..trial import Metric
from .bootstrap import Resampled

CARE = 0.005
"""Difference in score that matters, unless the user says otherwise: half a point."""

NEGLIGIBLE = 0.1
"""Of the difference that matters: techniques whose regrets are no further apart cost the same. Those of two techniques with the
same test predictions, as where no epoch was better than the head that it began with, differ by chance."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of scores before a study, measured on real data sets (``docs/verdict.md``).

    Attributes:
        gap: τ, in the metric's unit: the median gap between two techniques' finalists, divided by 0.674.
        seeds: Scale of the prior of σ, in the metric's unit: what seeds add in single finalists to what images explain.
    """

    gap: float
    seeds: float


PRIOR = Prior(0.033, 0.004)
"""Of accuracies and other shares of 1. Some gaps are 20 points: those are so far from 0 that no prior matters."""

PRIOR_OF_LOSS = Prior(0.1, 0.02)
"""Of ``log_loss``, in nats."""

MIN_IMAGES = 50
"""Test images below which a percentile interval of an accuracy is too narrow to trust."""

DRAWS = 20_000
"""Enough for a probability to be known to 0.4 points."""

_SEED = (20_070, 2)

_SPREADS = np.concatenate([[2e-4], np.geomspace(0.02, 100, 200)])
"""Values of σ, as multiples of its scale, between which its distribution is reckoned."""


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


class Belief:
    """What test scores let one believe of the techniques: two at least, tested on the same images.

    Args:
        resampled: As `resample` gives it.
        metric: What was scored.
    """

    def __init__(self, resampled: Mapping[Technique, Resampled], metric: Metric) -> None:
        self._resampled = resampled
        own = list(resampled.values())
        # All directions but that in which every score moves alike.
        self._basis = np.linalg.svd(np.ones((1, len(own))))[2][1:]
        sign = 1.0 if maximized(metric) else -1.0
        self._observed = self._basis @ (sign * np.array([one.score for one in own]))
        self._images = np.cov(np.stack([one.draws for one in own]))
        prior = PRIOR if maximized(metric) else PRIOR_OF_LOSS
        # The gap of two techniques has twice the variance of either.
        self._prior = prior.gap**2 / 2
        rng = np.random.default_rng(_SEED)
        by_fold = [one.by_fold for one in own if one.by_fold is not None]
        if by_fold:
            self._added = np.zeros((DRAWS, len(own)))
            freedom = len(by_fold[0]) - 1
            between = np.cov(np.stack(by_fold)) / len(by_fold[0])
            if np.trace(self._basis @ (between - self._images) @ self._basis.T) > 0:
                self._images = between * (freedom / rng.chisquare(freedom, DRAWS))[:, None, None]
        else:
            self._added = np.stack([_spread(one, prior.seeds, rng) ** 2 / one.seeds for one in own], axis=1)
        self._noise = rng.standard_normal((DRAWS, len(own) - 1))

    def chances(self, care: float) -> dict[Technique, Chance]:
        """The chances of each technique; ``care`` is the difference that matters, in the metric's unit."""
        mean, covariance = self._gaps(self._added)
        gaps = mean + np.einsum("dij,dj->di", np.linalg.cholesky(covariance), self._noise)
        scores = gaps @ self._basis
        regrets = scores.max(axis=1, keepdims=True) - scores
        return {
            technique: Chance(float((lost == 0).mean()), float(lost.mean()), float((lost <= care).mean()))
            for technique, lost in zip(self._resampled, regrets.T, strict=True)
        }

    def gain(self, more: Mapping[Technique, float]) -> float:
        """By how much so many more seeds of some techniques would lower the least expected regret, on average."""
        typical = np.median(self._added, axis=0)
        mean, now = self._gaps(typical)
        # What falls with the number of seeds, σ² / K and what each seed does to single images, falls by this share.
        shares = np.array([_share(more.get(technique, 0), one.seeds) for technique, one in self._resampled.items()])
        mixed = np.array([one.explained for one in self._resampled.values()])
        _, later = self._gaps(typical * (1 - shares), self._images - np.diag(mixed * shares))
        variances, axes = np.linalg.eigh(now - later)
        moved = mean + self._noise * np.sqrt(variances.clip(0)) @ axes.T
        return max(0.0, float((moved @ self._basis).max(axis=1).mean() - (mean @ self._basis).max()))

    def _gaps(self, added: NDArray[np.float64], images: NDArray[np.float64] | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance of the gaps in the basis, where seeds add ``added`` to the variance of each score, ``(…, k)``."""
        basis = self._basis
        error = basis @ (self._images if images is None else images) @ basis.T
        error = error + np.einsum("ij,...j,kj->...ik", basis, added, basis) + 1e-12 * np.eye(len(basis))
        kept = self._prior * np.linalg.inv(self._prior * np.eye(len(basis)) + error)
        covariance = kept @ error
        return kept @ self._observed, (covariance + covariance.swapaxes(-1, -2)) / 2


def choose(
    ranked: Sequence[Technique], seconds: Mapping[Technique, float], chances: Mapping[Technique, Chance], care: float
) -> Technique:
    """The technique to take: the quickest to train whose expected regret is at most ``care``, or hardly more than the least.

    Args:
        ranked: By score, the best first.
        seconds: Training time of a seed, by technique.
        chances: Of each technique.
        care: Difference that matters, in the metric's unit.
    """
    least = min(chances[technique].expected_regret for technique in ranked)
    allowed = max(care, least + NEGLIGIBLE * care)
    return min((t for t in ranked if chances[t].expected_regret <= allowed), key=seconds.__getitem__)


def _share(more: float, seeds: int) -> float:
    return 1.0 if math.isinf(more) else more / (seeds + more)


def _spread(one: Resampled, scale: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draws of σ, ``(DRAWS,)``."""
    spreads = scale * _SPREADS
    variance = spreads**2 + max(one.seeds * one.explained, 0.0)
    likelihood = -0.5 * (one.seeds - 1) * (np.log(variance) + one.seeds * one.between / variance)
    density = np.exp(likelihood - likelihood.max()) / (1 + _SPREADS**2)
    mass = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(spreads))])
    return np.asarray(np.interp(rng.random(DRAWS) * mass[-1], mass, spreads))
