"""How uncertain test scores are, and whether two of them differ: the statistics under the verdict.

Each technique's finalist was trained with K seeds and predicted the same n test images. Two things vary: which images the
test split happens to hold, and which seed the training happened to have.

The images are resampled with replacement, the same ones for all techniques since they are paired (Efron & Tibshirani 1993,
chapter 13). Where images belong together, as those of one patient do, their groups are resampled in their place. That already
carries over what a seed does to single images; resampling the seeds' whole scores on top would count
that part twice (Owen 2007, "The pigeonhole bootstrap"). So only the rest is added: of the seeds' sample variance
s² = Σ(score − mean)² / (K − 1), what exceeds the variance v that the images alone explain, by the method of moments, as for a
crossed random-effects model (Searle et al. 1992, section 4.4). With V the variance of a score, or of the difference of two,
between resamples, and sums over the one or two techniques it is made of:

    E = max(0, Σ (s² − v) / K)                          what seeds add to V
    f = (V + E)² / Σ (s² / K)² / (K − 1)                degrees of freedom of V + E (Satterthwaite 1946), at least K − 1
    draw = centre + (resample − centre + √E · z) · √(f / χ²(f)),    z ~ Normal(0, 1)

The last factor turns normal draws into Student's t with f degrees of freedom: a spread known from few seeds is itself
uncertain. Where E is 0 the draws are the resamples themselves.

Where the images are divided into folds, each of which trained models of its own, what the training images do to a score varies
too, and resampling the test images does not show it: pairing all images holds the truth in 90 to 93% of small data sets
(``docs/verdict.md``). The folds' own scores show it: Student's t over them, with one degree of freedom less than there are
folds, holds it in 94 to 95%. It is used where it is the wider of the two, which it is unless the folds happen to agree.

The 95% interval is the percentile interval of the draws, and p is twice the smaller share of them on either side of zero
(Efron & Tibshirani, chapter 15). The p values of all pairs are adjusted together by Holm's method (Holm 1979).

Measured on 2,000 simulated studies each, n = 500, K = 3, true accuracies 0.85 and 0.88: the interval of the difference covers
the truth in 0.965, 0.962, 0.961 and 0.948 of them where the standard deviation between seeds is 0, 0.005, 0.01 and 0.02, and
in 0.944 where it is 0 for one technique and 0.02 for the other. It is a little wide where seeds agree, because E cannot be
below 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from ...spaces.recipe import Technique
from ..metrics import scores
from ..trial import Metric
from .units import draw, outcome, scores_of, units_of

RESAMPLES = 10_000
"""Enough that a bound of the interval moves by about 2% of its width between seeds."""

_CELLS = 1_000_000
"""Weights drawn at once: 8 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Ties:
    """What test images share with each other.

    Attributes:
        folds: Which fold tested each, ``(n,)``; None where there is one split.
        groups: Number of the group that each belongs to, ``(n,)``; None where each is by itself.
    """

    folds: NDArray[np.int64] | None = None
    groups: NDArray[np.int64] | None = None

    def of(self, images: NDArray[np.int64]) -> Ties:
        """The ties between some of the images, given by their places."""
        folds, groups = (None if one is None else one[images] for one in (self.folds, self.groups))
        return Ties(folds, groups)


NO_TIES = Ties()

_SEEDS_DRAW = (20_070, 1)
"""Seed of the draws that stand for other training seeds. Any will do that no study has; studies have one number."""


@dataclass(frozen=True, slots=True)
class Resampled:
    """A technique's score, and what it might have been.

    Attributes:
        score: Mean over seeds, on the test split as it is.
        draws: The same on resampled images, ``(resamples,)``; those of two techniques are paired.
        between: Variance between seeds, s² / K; 0 for one seed.
        explained: The part of ``between`` that images alone explain, v / K.
        seeds: K.
        highest: Value that no score can exceed; none can be below 0.
        by_fold: Score of each fold, mean over its seeds, ``(folds,)``; None where there is one split.
    """

    score: float
    draws: NDArray[np.float64]
    between: float
    explained: float
    seeds: int
    highest: float
    by_fold: NDArray[np.float64] | None = None

    @property
    def ci95(self) -> tuple[float, float]:
        """The 95% interval of the score, over images and seeds, or over folds."""
        return percentile_interval(_over_folds(_with_seeds(self.draws, [self]), self.by_fold), 0.0, self.highest)

    def freedom(self, other: Resampled) -> float:
        """Degrees of freedom of the standard error of the difference to another technique; infinite where seeds add nothing."""
        return _freedom(self.draws - other.draws, [self, other])

    def minus(self, other: Resampled) -> NDArray[np.float64]:
        """What the difference to another technique's score might have been, ``(resamples,)``: over what `ci95` is over."""
        by_fold = None if self.by_fold is None or other.by_fold is None else self.by_fold - other.by_fold
        return _over_folds(_with_seeds(self.draws - other.draws, [self, other]), by_fold)


def resample(
    probabilities: Mapping[Technique, NDArray[np.float32]],
    labels: NDArray[np.int64],
    metric: Metric,
    *,
    ties: Ties = NO_TIES,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> dict[Technique, Resampled]:
    """Resamples the scores of techniques on the same test split; the order in which they are given does not matter.

    Args:
        probabilities: ``(seeds, n, classes)`` by technique; the number of seeds may differ.
        labels: ``(n,)``.
        metric: What is scored.
        ties: Between the images.
        seed: Of the resampling.
        resamples: How many.
    """
    rng = np.random.default_rng(seed)
    ordered = [(technique, probabilities[technique]) for technique in Technique if technique in probabilities]
    outcomes = np.stack([outcome(one, labels, metric) for _, seeds in ordered for one in seeds], axis=1)
    # Accuracy and log loss need no labels beside the outcomes.
    relevant = labels if metric in ("balanced_accuracy", "macro_f1") else np.zeros_like(labels)
    units = units_of(np.column_stack([relevant, outcomes]), ties.groups)
    chunk = max(1, _CELLS // len(units.counts))
    parts = [min(chunk, resamples - start) for start in range(0, resamples, chunk)]
    by_model = np.concatenate([scores_of(draw(rng, units.counts, part), units, metric) for part in parts])
    observed = scores_of(units.counts[None], units, metric)[0]
    found, first = {}, 0
    for technique, seeds in ordered:
        own = slice(first, first + len(seeds))
        one = _resampled(by_model[:, own], observed[own], math.inf if metric == "log_loss" else 1.0)
        if (folds := ties.folds) is not None and len(members := np.unique(folds)) > 1:
            by_fold = [fmean(scores(each[folds == fold], labels[folds == fold])[metric] for each in seeds) for fold in members]
            one = replace(one, by_fold=np.array(by_fold))
        found[technique] = one
        first += len(seeds)
    return found


def percentile_interval(
    draws: NDArray[np.float64], lowest: float = -math.inf, highest: float = math.inf
) -> tuple[float, float]:
    """The central 95% of ``draws``, cut off at the lowest and the highest value that is possible: few seeds have long tails."""
    low, high = np.percentile(draws, (2.5, 97.5)).clip(lowest, highest)
    return float(low), float(high)


def two_sided_p(differences: NDArray[np.float64]) -> float:
    """Twice the smaller share of resampled differences on either side of zero; never below one resample's share."""
    smaller = min((differences <= 0).mean(), (differences >= 0).mean())
    return float(np.clip(2 * smaller, 1 / len(differences), 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment, in the order given: the i-th smallest of m (from 0) times m − i, never falling."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = highest
    return adjusted


def _resampled(each: NDArray[np.float64], by_seed: NDArray[np.float64], highest: float) -> Resampled:
    """The record of one technique.

    Args:
        each: Score of each resample of the images and each seed, ``(resamples, seeds)``.
        by_seed: Score of each seed on the images as they are, ``(seeds,)``.
        highest: As in `Resampled`.
    """
    mean, count = each.mean(axis=1), len(by_seed)
    between = explained = 0.0
    if count > 1:
        between = float(by_seed.var(ddof=1)) / count
        explained = float((each - mean[:, None]).var(axis=0).mean()) / (count - 1)
    return Resampled(float(by_seed.mean()), mean, between, explained, count, highest)


def _over_folds(draws: NDArray[np.float64], by_fold: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Draws of a score or a difference from Student's t over its value in each fold, where these are the wider ones."""
    if by_fold is None:
        return draws
    error = float(by_fold.std(ddof=1)) / math.sqrt(len(by_fold))
    drawn = error * np.random.default_rng(_SEEDS_DRAW).standard_t(len(by_fold) - 1, len(draws))
    (low, high), (first, last) = percentile_interval(draws), percentile_interval(drawn)
    return draws.mean() + drawn if last - first > high - low else draws


def _with_seeds(draws: NDArray[np.float64], techniques: Sequence[Resampled]) -> NDArray[np.float64]:
    """Adds to resampled images what other seeds add to them; see the module's docstring.

    Args:
        draws: A score or a difference on resampled images, ``(resamples,)``.
        techniques: What it is made of.
    """
    added = _added(techniques)
    if added <= 0:
        return draws
    freedom = _freedom(draws, techniques)
    # A generator of its own: what one pair is given does not depend on which other pairs there are.
    rng = np.random.default_rng(_SEEDS_DRAW)
    centre = draws.mean()
    shifted = draws - centre + np.sqrt(added) * rng.standard_normal(len(draws))
    return np.asarray(centre + shifted * np.sqrt(freedom / rng.chisquare(freedom, len(draws))))


def _added(techniques: Sequence[Resampled]) -> float:
    """What seeds add to the variance: E of the module's docstring, but not cut off at 0."""
    return sum(one.between - one.explained for one in techniques)


def _freedom(draws: NDArray[np.float64], techniques: Sequence[Resampled]) -> float:
    """Degrees of freedom of what `_with_seeds` gives: f of the module's docstring."""
    added = _added(techniques)
    if added <= 0:
        return math.inf
    uncertainty = sum(one.between**2 / (one.seeds - 1) for one in techniques if one.seeds > 1)
    # V holds what each seed's images explain, so V + E is no less than Σ s² / K and f no less than the fewest K − 1, except by
    # chance on few images; unbounded, such a chance would make an interval of everything.
    fewest = min(one.seeds - 1 for one in techniques if one.seeds > 1)
    return max((float(draws.var()) + added) ** 2 / uncertainty, fewest)
