"""How similar a data set is to the pictures that the weights were trained on; `phases.profile` measures it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NEIGHBOURS = 5
"""scikit-learn's default. Measured here with 5 and 20 on eight data sets, the profile peaks on the same side of the network."""

SURE = 0.9
"""Share of resamples that must agree on where the peak is. Measured here: 0.96 to 1.00 on the four data sets whose classes the
weights know (cats and dogs, ants and bees, the built-in similar ones) and below 0.05 on the four that they do not."""

Label = Literal["similar", "different", "uncertain"]


@dataclass(frozen=True, slots=True)
class DepthPoint:
    """The features at one block's output.

    Attributes:
        layer: Index into ``base.layers`` of the block's last layer.
        block: Keras' name for it: ``expanded_conv``, ``block_1`` to ``block_16``, ``top``.
        knn_accuracy: Of the nearest neighbours, from 0 to 1.
        ci95: Its Wilson interval (Wilson 1927).
    """

    layer: int
    block: str
    knn_accuracy: float
    ci95: tuple[float, float]


@dataclass(frozen=True, slots=True)
class DepthProfile:
    """What was measured of a data set under some weights.

    Attributes:
        points: In the order of the layers.
        images: Training images that were measured.
        chance: Share of the most frequent class among them: the accuracy of always predicting it.
        last_share: Share of bootstrap resamples of the images in which the accuracy is highest at the network's end.
    """

    points: tuple[DepthPoint, ...]
    images: int
    chance: float
    last_share: float

    @property
    def peak(self) -> DepthPoint:
        """The point of the highest accuracy; where several tie, the last."""
        return max(self.points, key=lambda point: (point.knn_accuracy, point.layer))

    @property
    def knn_accuracy(self) -> float:
        """Accuracy at the last layer, whose features the techniques start from."""
        return self.points[-1].knn_accuracy

    @property
    def corrected(self) -> float:
        """`knn_accuracy` corrected for chance: 0 for guessing, 1 where every image is right."""
        return (self.knn_accuracy - self.chance) / (1 - self.chance)

    @property
    def label(self) -> Label:
        """Whether the data set is similar to what the weights were trained on."""
        if self.peak.ci95[0] <= self.chance:
            return "uncertain"
        if self.last_share >= SURE:
            return "similar"
        return "different" if self.last_share <= 1 - SURE else "uncertain"

    @property
    def suggested_cut(self) -> int | None:
        """``fine_tune_at`` that freezes what is useful as it is, up to the peak; None unless the data set is different."""
        return self.peak.layer + 1 if self.label == "different" else None
