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
    new = np.setdiff1d(np.arange(len(labels)), tied.seen)
    without = {
        technique: fmean(scores(one[new], labels[new])[metric] for one in own.probabilities)
        for technique, own in predictions.items()
        if len(new)
    }
    return Lookalikes(len(tied.seen), without)
