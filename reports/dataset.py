"""What kind of data set it is, and what the blog post's rule of thumb says of it: a claim to be checked, never followed."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from ..search.settings import DataSettings
from ..spaces.recipe import Technique
from .text import count

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
        """Whether the measured winner is the one predicted; None where that cannot be told.

        It can be told without the similarity where neither prediction for the size is the winner.
        """
        if winner is None:
            return None
        if self.predicts is None:
            return None if winner in (RULE[self.size, "similar"], RULE[self.size, "different"]) else False
        return winner is self.predicts


def size_of(data: DataSettings) -> Size:
    """Whether the training split is large."""
    return "large" if data.train >= LARGE_PER_CLASS * len(data.classes) else "small"


def rule_of_thumb(data: DataSettings, similarity: Similarity | None = None) -> RuleOfThumb:
    """The post's prediction."""
    size = size_of(data)
    images = f"{count(data.train, 'training image')} in {count(len(data.classes), 'class')} make a {size} data set"
    if similarity is not None:
        predicts = RULE[size, similarity]
        known = f"{'similar to' if similarity == 'similar' else 'different from'} what the weights were trained on"
        return RuleOfThumb(size, similarity, predicts, f"{images}, {known}: the blog post's rule expects {predicts} to win.")
    either = (
        f"{RULE[size, 'similar']} to win if they resemble what the weights were trained on, {RULE[size, 'different']} if not"
    )
    return RuleOfThumb(size, None, None, f"{images}: the blog post's rule expects {either}.")
