"""Test images whose labels are probably wrong, since every technique contradicts them, and what the verdict is without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...search.statistics.bootstrap import Ties
from ...search.statistics.doubt import doubtful
from ...search.trial import Metric
from ...spaces.recipe import Technique
from .lookalikes import scores_without
from .verdict import Predictions, Verdict, judge

TIMES = 20
"""Times as probable as its label another class must be. With 5% of the labels of eight real data sets changed at random, 64% of
the images so found had a changed label (43 to 92%), and 51% of those changed were found; with none changed, 1.4% of the images
were called doubtful. Without it 34% had: a class that is merely likelier than the label is as often a mistake of the model."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """Test images whose labels are probably wrong.

    Attributes:
        images: Their places in the test split, ascending.
        files: Their names, relative to the data folder; empty where the study does not record them.
        scores: Of each technique on the other test images, mean over seeds.
        verdict: Over the other test images.
    """

    images: tuple[int, ...]
    files: tuple[str, ...]
    scores: Mapping[Technique, float]
    verdict: Verdict


def doubts_of(
    predictions: Mapping[Technique, Predictions],
    labels: NDArray[np.int64] | None,
    metric: Metric,
    *,
    ties: Ties,
    care: float | None = None,
    seed: int = 0,
    files: Callable[[], Sequence[str]] = tuple,
) -> Doubts | None:
    """The doubtful labels of a study's test images; None where there are none, or nothing was tested.

    A label is in doubt where every technique is confident of the same other class, in the sense of `doubtful`, and finds it
    `TIMES` times as probable as the label. Arguments as of `judge`; ``files`` gives those of the test images, where known.
    """
    if labels is None or not predictions:
        return None
    said = np.stack([_contradicted(one.probabilities.mean(axis=0), labels) for one in predictions.values()])
    agreed = (said[0] >= 0) & (said == said[0]).all(axis=0)
    images, others = np.flatnonzero(agreed), np.flatnonzero(~agreed)
    if not len(images) or not len(others):
        return None
    places, names = images.tolist(), files()
    rest = {technique: replace(one, probabilities=one.probabilities[:, others]) for technique, one in predictions.items()}
    return Doubts(
        tuple(places),
        tuple(names[place] for place in places) if names else (),
        scores_without(predictions, labels, metric, images),
        judge(rest, labels[others], metric, ties=ties.of(others), care=care, seed=seed),
    )


def _contradicted(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class that a technique is sure of in place of each image's label, ``(n,)``; -1 where it is not."""
    found, likely = doubtful(probabilities, labels)
    sure = probabilities[found, likely] >= TIMES * probabilities[found, labels[found]]
    classes = np.full(len(labels), -1)
    classes[found[sure]] = likely[sure]
    return classes
