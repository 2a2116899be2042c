"""Which labels are probably wrong: those that a model which has not learned them contradicts with confidence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def doubtful(probabilities: NDArray[np.floating], labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of images whose labels are in doubt, the most doubtful first, and the class that each probably is.

    Confident learning (Northcutt et al. 2021): an image counts as of a class where its probability is at least what the class
    has on average over the images that are labelled so, of several such classes as of the most probable one; it is in doubt
    where that is another class than its label. How much more probable that class is orders them.

    Args:
        probabilities: ``(n, classes)``, from a model that has not seen the labels of these images.
        labels: ``(n,)``.
    """
    places = np.arange(len(labels))
    classes = probabilities.shape[1]
    average = np.full(classes, np.inf)
    for label in np.unique(labels):
        average[label] = probabilities[labels == label, label].mean()
    confident = np.where(probabilities >= average, probabilities, -1.0)
    likely = confident.argmax(axis=1)
    found = np.flatnonzero((confident[places, likely] >= 0) & (likely != labels))
    margin = probabilities[found, likely[found]] - probabilities[found, labels[found]]
    found = found[np.argsort(-margin, kind="stable")]
    return found, likely[found]
