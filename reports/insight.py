"""What a study shows beyond its verdict: how similar the images are to those of the weights, and which classes are confused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class DepthPoint:
    """How far the features at one depth of the base tell the classes apart.

    Attributes:
        layer: Index into ``base.layers`` of the block's last layer.
        block: Its name: ``block_3``, or ``top``.
        knn_accuracy: Of a k-nearest-neighbours vote on the pooled features at the block's output.
        ci95: Its 95% interval.
    """

    layer: int
    block: str
    knn_accuracy: float
    ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Similarity:
    """Whether the images resemble what the weights were trained on.

    Attributes:
        knn_accuracy: On the pooled features of the last layer, leave-one-out over training images (or a stated sample).
        corrected: For chance: (accuracy - chance) / (1 - chance).
        profile: The same accuracy by depth.
        suggested_cut: Layer that fine-tuning may begin at; None where the profile suggests none.
        sentence: One plain sentence that says how certain it is.
    """

    label: Literal["similar", "different", "uncertain"]
    knn_accuracy: float
    corrected: float
    profile: tuple[DepthPoint, ...]
    suggested_cut: int | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Confusion:
    """Which classes the recommended technique's finalist takes for which, on the test split, summed over seeds.

    Attributes:
        matrix: Rows: true class, columns: predicted.
        recall: By class; NaN where the class has no test image.
        most_confused: ``(true, predicted, count)``, most frequent first, at most 5.
    """

    matrix: tuple[tuple[int, ...], ...]
    recall: tuple[float, ...]
    most_confused: tuple[tuple[int, int, int], ...]
