"""Who wins, by how much, and whether the difference is real.

Each technique's finalist was trained with K seeds and predicted the same n test images. Two things vary: which images the
test split happens to hold, and which seed the training happened to have. A hierarchical bootstrap resamples both: n images
with replacement, the same ones for all techniques (they are paired), and for each technique the mean of its K seeds.

Resampling images already carries over what a seed does to single images; resampling the seeds' whole scores on top would
count that part twice (Owen 2007, "The pigeonhole bootstrap"). So only the rest is added: of the seeds' sample variance, what
exceeds the variance that the images alone explain, by the method of moments, as for a crossed random-effects model
(Searle et al. 1992, section 4.4).

For each pair of techniques the 95% interval is the percentile interval of the resampled differences (Efron & Tibshirani 1993,
chapter 13), and p is twice the smaller share of resamples on either side of zero (chapter 16). The p values of all pairs are
adjusted together by Holm's method (Holm 1979).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..search.metrics import maximized
from ..search.trial import Metric
from ..spaces.recipe import Technique

RESAMPLES = 10_000
ALPHA = 0.05
"""Probability, over all comparisons of a study, of calling a difference real that is not."""

MIN_SEEDS = 2
"""Without a second seed nothing is known of the spread between seeds."""

MIN_IMAGES = 50
"""Test images below which a percentile interval of an accuracy is too narrow to trust."""

_CHUNK = 500
_POWER_FACTOR = 2.8
"""z(0.975) + z(0.80): a difference of so many standard errors is found four times in five (Cohen 1988, section 2.4)."""

Decision = Literal["win", "tie", "insufficient"]


@dataclass(frozen=True, slots=True)
class Predictions:
    """Test predictions of one technique.

    Attributes:
        probabilities: ``(seeds, n, classes)``.
        seconds: Mean training time of a seed.
    """

    probabilities: NDArray[np.float32]
    seconds: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much better ``a`` is than ``b``; positive means better, whatever the metric.

    Attributes:
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
        """Whether the difference is not explained by chance."""
        return self.p < ALPHA and (self.ci95[0] > 0 or self.ci95[1] < 0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer.

    Attributes:
        winner: Of a ``win``.
        recommended: The winner, or the cheapest of the tied; None where nothing was confirmed.
        intervals: 95% interval of each technique's own score.
        reason: One plain sentence.
    """

    decision: Decision
    winner: Technique | None
    recommended: Technique | None
    comparisons: tuple[Comparison, ...]
    intervals: Mapping[Technique, tuple[float, float]]
    reason: str


def judge(
    predictions: Mapping[Technique, Predictions], labels: NDArray[np.int64] | None, metric: Metric, *, seed: int = 0
) -> Verdict:
    """The verdict over confirmed techniques.

    Args:
        predictions: By technique; all over the same test images.
        labels: Of the test images, ``(n,)``; None where nothing was confirmed.
        metric: What is compared.
        seed: Of the resampling.
    """
    if labels is None or not predictions:
        return _insufficient("No technique has met the test split yet: run with --confirm 3.", None, {})
    resampled, scores = _bootstrap(predictions, labels, metric, seed)
    intervals = {t: _interval(values) for t, values in resampled.items()}
    comparisons = _compare(resampled, scores, metric)
    ranked = sorted(scores, key=scores.__getitem__, reverse=maximized(metric))
    fewest = min(len(p.probabilities) for p in predictions.values())
    if len(predictions) < 2:
        reason = f"Only {ranked[0]} was confirmed: there is nothing to compare it with."
        return _insufficient(reason, ranked[0], intervals)
    if fewest < MIN_SEEDS or len(labels) < MIN_IMAGES:
        lacking = f"{fewest} seed" if fewest < MIN_SEEDS else f"{len(labels)} test images"
        needed = f"{MIN_SEEDS} (--confirm 3)" if fewest < MIN_SEEDS else str(MIN_IMAGES)
        reason = f"{ranked[0]} scored best, but {lacking} cannot tell skill from luck: at least {needed} are needed."
        return _insufficient(reason, ranked[0], intervals, comparisons)
    return _decide(ranked, scores, predictions, comparisons, intervals, metric)


def _decide(
    ranked: list[Technique],
    scores: Mapping[Technique, float],
    predictions: Mapping[Technique, Predictions],
    comparisons: tuple[Comparison, ...],
    intervals: Mapping[Technique, tuple[float, float]],
    metric: Metric,
) -> Verdict:
    best = ranked[0]
    against = [c for c in comparisons if best in (c.a, c.b)]
    tied = [best, *(c.b if c.a is best else c.a for c in against if not c.real)]
    if len(tied) == 1:
        nearest = next(c for c in against if ranked[1] in (c.a, c.b))
        low, high = sorted(abs(bound) for bound in nearest.ci95)
        gap = _amount(abs(nearest.difference), metric)
        reason = (
            f"{best} beats {ranked[1]} by {gap} (95% interval {_amount(low, metric)} to {_amount(high, metric)}), "
            "more than chance explains."
        )
        return Verdict("win", best, best, comparisons, intervals, reason)
    cheapest = min(tied, key=lambda technique: predictions[technique].seconds)
    detectable = max(c.detectable for c in against if c.a in tied and c.b in tied)
    names = " and ".join([", ".join(t for t in tied[:-1]), tied[-1]])
    reason = (
        f"{names} cannot be told apart: a difference below {_amount(detectable, metric)} would not show on this test split. "
        f"{cheapest} is the cheapest of them to train."
    )
    return Verdict("tie", None, cheapest, comparisons, intervals, reason)


def _insufficient(
    reason: str,
    leader: Technique | None,
    intervals: Mapping[Technique, tuple[float, float]],
    comparisons: tuple[Comparison, ...] = (),
) -> Verdict:
    return Verdict("insufficient", None, leader, comparisons, intervals, reason)


def _amount(value: float, metric: Metric) -> str:
    return f"{value:.3f} nats" if metric == "log_loss" else f"{100 * value:.1f} points"


def _compare(
    resampled: Mapping[Technique, NDArray[np.float64]], scores: Mapping[Technique, float], metric: Metric
) -> tuple[Comparison, ...]:
    sign = 1.0 if maximized(metric) else -1.0
    pairs = list(combinations(resampled, 2))
    raw = []
    for a, b in pairs:
        differences = sign * (resampled[a] - resampled[b])
        below, above = (differences <= 0).mean(), (differences >= 0).mean()
        raw.append(max(2 * min(below, above), 1 / RESAMPLES))
    adjusted = holm(raw)
    return tuple(
        Comparison(
            a=a,
            b=b,
            difference=sign * (scores[a] - scores[b]),
            ci95=_interval(sign * (resampled[a] - resampled[b])),
            p=p,
            detectable=_POWER_FACTOR * float((resampled[a] - resampled[b]).std()),
        )
        for (a, b), p in zip(pairs, adjusted, strict=True)
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment, in the order given: the i-th smallest of m is multiplied by m − i, and never falls."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = highest
    return adjusted


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def _bootstrap(
    predictions: Mapping[Technique, Predictions], labels: NDArray[np.int64], metric: Metric, seed: int
) -> tuple[dict[Technique, NDArray[np.float64]], dict[Technique, float]]:
    """For each technique its resampled scores ``(RESAMPLES,)`` and its score."""
    rng = np.random.default_rng(seed)
    columns = {t: [_columns(one, labels, metric) for one in p.probabilities] for t, p in predictions.items()}
    chances = np.full(len(labels), 1 / len(labels))
    drawn: dict[Technique, list[NDArray[np.float64]]] = {technique: [] for technique in predictions}
    for _ in range(RESAMPLES // _CHUNK):
        weights = rng.multinomial(len(labels), chances, size=_CHUNK).astype(np.float32)
        for technique, seeds in columns.items():
            drawn[technique].append(np.stack([_score(weights @ one, metric) for one in seeds], axis=1))
    ones = np.ones((1, len(labels)), np.float32)
    by_seed = {t: np.array([_score(ones @ one, metric)[0] for one in seeds]) for t, seeds in columns.items()}
    resampled = {t: _with_seeds(np.concatenate(parts), by_seed[t], rng) for t, parts in drawn.items()}
    return resampled, {technique: float(scores.mean()) for technique, scores in by_seed.items()}


def _with_seeds(each: NDArray[np.float64], by_seed: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Adds to resampled images what resampled seeds add to them.

    Args:
        each: Score of each resample of the images and each seed, ``(resamples, seeds)``.
        by_seed: Score of each seed on the images as they are, ``(seeds,)``.
        rng: Of the draw.

    Returns:
        ``(resamples,)``.
    """
    mean, count = each.mean(axis=1), len(by_seed)
    if count == 1:
        return np.asarray(mean)
    explained = (each - mean[:, None]).var(axis=0).mean() * count / (count - 1)
    excess = max(0.0, float(by_seed.var(ddof=1) - explained))
    # Student's t with K − 1 degrees of freedom: a spread estimated from few seeds is itself uncertain.
    return np.asarray(mean + np.sqrt(excess / count) * rng.standard_t(count - 1, len(mean)))


def _columns(probabilities: NDArray[np.float32], labels: NDArray[np.int64], metric: Metric) -> NDArray[np.float32]:
    """Numbers of each image, ``(n, columns)``, whose weighted sums `_score` turns into the metric."""
    n, classes = probabilities.shape
    predicted = probabilities.argmax(axis=1)
    right = predicted == labels
    if metric == "accuracy":
        return np.stack([right, np.ones(n)], axis=1).astype(np.float32)
    if metric == "log_loss":
        likelihood = np.maximum(probabilities[np.arange(n), labels], np.finfo(np.float32).eps)
        return np.stack([-np.log(likelihood), np.ones(n)], axis=1).astype(np.float32)
    member = np.eye(classes, dtype=np.float32)
    return np.concatenate([member[labels] * right[:, None], member[labels], member[predicted]], axis=1)


def _score(sums: NDArray[np.float32], metric: Metric) -> NDArray[np.float64]:
    """The metric ``(resamples,)`` of sums ``(resamples, columns)``."""
    sums64 = sums.astype(np.float64)
    if metric in ("accuracy", "log_loss"):
        return np.asarray(sums64[:, 0] / sums64[:, 1])
    hits, members, guesses = np.split(sums64, 3, axis=1)
    present = members > 0
    divisor = members if metric == "balanced_accuracy" else (members + guesses) / 2
    ratio = np.divide(hits, divisor, out=np.zeros_like(hits), where=present)
    return np.asarray(ratio.sum(axis=1) / present.sum(axis=1))
