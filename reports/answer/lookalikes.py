"""How much of the test scores comes from images that the models have seen in all but name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from ...search.metrics import scores
from ...search.storage.store import StudyStore
from ...search.trial import Metric
from ...spaces.recipe import Technique
from .verdict import Predictions


@dataclass(frozen=True, slots=True)
class Lookalikes:
    """Test images that look like one that was trained or validated on.

    Attributes:
        images: How many.
        scores: Of each technique on the other test images, mean over seeds; empty where there are none.
    """

    images: int
    scores: Mapping[Technique, float]


def lookalikes_of(
    store: StudyStore, predictions: Mapping[Technique, Predictions], labels: NDArray[np.int64] | None, metric: Metric
) -> Lookalikes | None:
    """What a study's test scores would be without look-alikes; None where nothing was tested, or no image has any."""
    tied = store.notes.tied_images()
    if labels is None or tied is None or not tied.seen or len(tied.numbers) != len(labels):
        return None
    return Lookalikes(len(tied.seen), scores_without(predictions, labels, metric, np.array(tied.seen)))


def scores_without(
    predictions: Mapping[Technique, Predictions], labels: NDArray[np.int64], metric: Metric, images: NDArray[np.int64]
) -> dict[Technique, float]:
    """Each technique's score, mean over seeds, on the test images that are not among ``images``; empty where all are."""
    rest = np.setdiff1d(np.arange(len(labels)), images)
    if not len(rest):
        return {}
    return {
        technique: fmean(scores(one[rest], labels[rest])[metric] for one in own.probabilities)
        for technique, own in predictions.items()
    }
