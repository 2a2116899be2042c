"""What kind of data set it is, and what the blog post's rule of thumb says of it: a claim to be checked, never followed."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from ..search.settings import DataSettings
from ..spaces.recipe import Technique

Size = Literal["small", "large"]
Similarity = Literal["similar", "different"]

LARGE_PER_CLASS = 1000
"""Training images a class from which a data set is large: about ImageNet's own (732 to 1,300, Russakovsky et al. 2015)."""

RULE: MappingProxyType[tuple[Size, Similarity], Technique] = MappingProxyType(
    {
        ("large", "different"): Technique.FULL,
        ("large", "similar"): Technique.FINE_TUNE,
        ("small", "different"): Technique.FINE_TUNE,
        ("small", "similar"): Technique.FROZEN,
    }
)
"""The post's table."""


@dataclass(frozen=True, slots=True)
class RuleOfThumb:
    """The post's prediction for a data set.

    Attributes:
        size: By `LARGE_PER_CLASS`.
        similarity: To the pictures that the weights come from; None where it was not measured.
        predicts: None while the similarity is unknown.
        sentence: The prediction in words.
    """

    size: Size
    similarity: Similarity | None
    predicts: Technique | None
    sentence: str

    def agrees(self, winner: Technique | None) -> bool | None:
        """Whether the measured winner is the one predicted; None where one of them is unknown."""
        return None if winner is None or self.predicts is None else winner is self.predicts


def size_of(data: DataSettings) -> Size:
    """Whether the training split is large."""
    return "large" if data.train >= LARGE_PER_CLASS * len(data.classes) else "small"


def rule_of_thumb(data: DataSettings, similarity: Similarity | None = None) -> RuleOfThumb:
    """The post's prediction."""
    size = size_of(data)
    images = f"{data.train:,} training images in {len(data.classes)} classes are {size}"
    if similarity is not None:
        predicts = RULE[size, similarity]
        return RuleOfThumb(size, similarity, predicts, f"{images} and {similarity}: it predicts {predicts}.")
    either = (
        f"{RULE[size, 'similar']} if they resemble the pictures the weights were trained on, {RULE[size, 'different']} if not"
    )
    return RuleOfThumb(size, None, None, f"{images}: it predicts {either}.")
