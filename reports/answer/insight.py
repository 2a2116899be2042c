"""What a study tells beyond who wins: how similar the images are to those of the weights, and which classes are mistaken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...search.depth_profile import NEIGHBOURS, SURE, DepthProfile
from ...search.metrics import confusion_matrix
from ...search.statistics.expectation import Expectation
from ...spaces.space import SearchSpace
from ..text import count, percent

MOST_PAIRS = 5
"""Pairs of classes that are named as often confused."""


@dataclass(frozen=True, slots=True)
class Similarity:
    """How similar the data set is to what the weights were trained on, and what may be expected of it.

    Attributes:
        profile: What was measured.
        sentence: What follows from it.
        expected: Before the first trial; None of weights that nothing is known of.
    """

    profile: DepthProfile
    sentence: str
    expected: Expectation | None = None


@dataclass(frozen=True, slots=True)
class Confusion:
    """What a technique's finalist took the test images for, summed over its seeds.

    Attributes:
        matrix: Images by true class (rows) and predicted class (columns).
        recall: Share of each class that was recognised; NaN where it has no test image.
        most_confused: True class, predicted class, images; the most frequent first, at most `MOST_PAIRS`.
    """

    matrix: tuple[tuple[int, ...], ...]
    recall: tuple[float, ...]
    most_confused: tuple[tuple[int, int, int], ...]


def similarity_of(profile: DepthProfile, space: SearchSpace | None = None, expected: Expectation | None = None) -> Similarity:
    """The measured profile in the words of a report.

    Args:
        profile: As it was measured.
        space: Of the study, to say which of its cuts stands for the suggested one; None where there is no study.
        expected: As in `Similarity`.
    """
    return Similarity(profile, _sentence(profile, space), expected)


def confusion_of(probabilities: NDArray[np.float32], labels: NDArray[np.int64], classes: int) -> Confusion:
    """What models took the test images for.

    Args:
        probabilities: ``(seeds, n, classes)``.
        labels: ``(n,)``.
        classes: How many there are.
    """
    predicted = probabilities.argmax(axis=2).ravel()
    matrix = confusion_matrix(np.tile(labels, len(probabilities)), predicted, classes)
    totals = matrix.sum(axis=1)
    recall = np.divide(matrix.diagonal(), totals, out=np.full(classes, np.nan), where=totals > 0)
    pairs = [(int(row), int(column), int(matrix[row, column])) for row, column in np.argwhere(matrix) if row != column]
    return Confusion(
        matrix=tuple(tuple(int(images) for images in row) for row in matrix),
        recall=tuple(float(share) for share in recall),
        most_confused=tuple(sorted(pairs, key=lambda pair: (-pair[2], pair[:2]))[:MOST_PAIRS]),
    )


def _sentence(profile: DepthProfile, space: SearchSpace | None) -> str:
    peak, end = profile.peak, percent(profile.knn_accuracy)
    neighbours = f"the {NEIGHBOURS} nearest of {count(profile.images, 'training image')}"
    if profile.label == "similar":
        return (
            "The images are similar to what the weights were trained on: frozen features tell the classes apart best at the "
            f"network's end, where {neighbours} name {end} right (the most frequent class alone {percent(profile.chance)}), "
            f"in {percent(profile.last_share)} of resamples."
        )
    if profile.label == "different":
        return (
            f"The images are different from what the weights were trained on: frozen features tell the classes apart best at "
            f"{peak.block}, where {neighbours} name {percent(peak.knn_accuracy)} right ({end} at the network's end), in "
            f"{percent(1 - profile.last_share)} of resamples, so that {_advice(profile, space)}."
        )
    unsure = "Whether the images are similar to what the weights were trained on cannot be told"
    if peak.ci95[0] <= profile.chance:
        return (
            f"{unsure}: at no block do frozen features tell the classes apart better than chance, {neighbours} naming "
            f"{percent(peak.knn_accuracy)} right at best ({percent(profile.chance)} by chance)."
        )
    if peak is profile.points[-1]:
        where = f"the network's end, where {neighbours} name {end} right"
    else:
        where = f"{peak.block}, where {neighbours} name {percent(peak.knn_accuracy)} right ({end} at the network's end)"
    return (
        f"{unsure}: frozen features tell the classes apart best at {where}, but only {percent(profile.last_share)} of "
        f"resamples have the best at the end, where {percent(SURE)} would be needed for similar and {percent(1 - SURE)} for "
        "different."
    )


def _advice(profile: DepthProfile, space: SearchSpace | None) -> str:
    suggested = profile.suggested_cut
    advice = f"fine-tuning from layer {suggested} on suggests itself"
    nearest = suggested if space is None else space.nearest_cut(suggested)
    if nearest is None or nearest == suggested:
        return advice
    return f"{advice} (the nearest that the search may try is {nearest})"
