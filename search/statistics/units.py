"""What is drawn when test images are resampled, and the metric on what was drawn."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..trial import Metric


def outcome(probabilities: NDArray[np.float32], labels: NDArray[np.int64], metric: Metric) -> NDArray[np.float64]:
    """What one model did with each image, ``(n,)``: as much as the metric asks for."""
    if metric == "log_loss":
        likelihood = probabilities[np.arange(len(labels)), labels].astype(np.float64)
        return np.asarray(-np.log(np.maximum(likelihood, np.finfo(np.float32).eps)))
    predicted = probabilities.argmax(axis=1)
    return np.asarray(predicted == labels if metric == "accuracy" else predicted, np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """What is drawn: images, or groups of them.

    Images with the same outcome everywhere are interchangeable, and so are groups of the same images: how many of each kind a
    resample holds is all that counts.

    Attributes:
        images: Label and outcomes of the images of one unit of each kind, ``(images, 1 + models)``, kind by kind.
        starts: First image of each kind, ``(kinds,)``.
        counts: How many units there are of each kind, ``(kinds,)``.
    """

    images: NDArray[np.float64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]

    def total(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the images of each kind of unit: ``(images, …)`` to ``(kinds, …)``."""
        return np.asarray(np.add.reduceat(values, self.starts))


def units_of(images: NDArray[np.float64], groups: NDArray[np.int64] | None) -> Units:
    """The kinds among the units that ``(n, 1 + models)`` images make."""
    kinds, place, counts = np.unique(images, axis=0, return_inverse=True, return_counts=True)
    if groups is None:
        return Units(kinds, np.arange(len(kinds)), counts)
    order = np.lexsort((place.ravel(), groups))
    members = np.split(place.ravel()[order], np.flatnonzero(np.diff(groups[order])) + 1)
    found = Counter(tuple(one.tolist()) for one in members)
    held = sorted(found)
    starts = np.cumsum([0, *(len(one) for one in held[:-1])])
    return Units(kinds[np.concatenate(held)], starts, np.array([found[one] for one in held]))


def draw(rng: np.random.Generator, counts: NDArray[np.int64], resamples: int) -> NDArray[np.int64]:
    """How often each kind of unit is in each resample, ``(resamples, kinds)``."""
    kinds, n = len(counts), int(counts.sum())
    if kinds < n:
        return np.asarray(rng.multinomial(n, counts / n, size=resamples))
    # The same distribution, three times as fast where every unit is its own kind.
    drawn = rng.integers(0, n, size=(resamples, n)) + n * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * n).reshape(resamples, n)


def scores_of(weights: NDArray[np.int64], units: Units, metric: Metric) -> NDArray[np.float64]:
    """The metric of every model, ``(resamples, models)``, on kinds of units in the numbers ``weights``."""
    labels, outcomes = units.images[:, 0], units.images[:, 1:]
    times = weights.astype(np.float64)
    if metric in ("accuracy", "log_loss"):
        return np.asarray(times @ units.total(outcomes) / (times @ units.total(np.ones((len(labels), 1)))))
    classes = np.unique(units.images)
    member = (labels[:, None] == classes).astype(np.float64)
    members = times @ units.total(member)
    present = members > 0
    scored = []
    for predicted in outcomes.T:
        hits = times @ units.total(member * (predicted == labels)[:, None])
        guesses = times @ units.total((predicted[:, None] == classes).astype(np.float64))
        divisor = members if metric == "balanced_accuracy" else (members + guesses) / 2
        ratio = np.divide(hits, divisor, out=np.zeros_like(hits), where=present)
        scored.append(ratio.sum(axis=1) / present.sum(axis=1))
    return np.stack(scored, axis=1)
