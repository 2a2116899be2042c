"""What kind of data set it is, and what the blog post's rule of thumb says of it: a claim to be checked, never followed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from ...search.depth_profile import Label
from ...search.settings import DataSettings
from ...search.trial import Metric
from ...spaces.recipe import Technique
from ..text import and_more, count, literal

Size = Literal["small", "large"]

LARGE_PER_CLASS = 1000
"""Training images a class from which a data set is large: about ImageNet's own (732 to 1,300, Russakovsky et al. 2015)."""

SHOWN = 5
"""Classes with few test images: so many of them are named."""

IMBALANCED = 1.5
"""Ratio of the largest class to the smallest from which the data set is imbalanced: of two classes the rarer then has less than
40% of the images, where Google's guide to imbalanced data begins to call it mild."""

RARE = 10
"""Times the images of the rarest class from which accuracy says little of that class."""

FEW_TESTED = 5
"""Test images of a class below which nothing can be said of it: one more right is 20 points and more."""

RULE: dict[tuple[Size, Label], Technique] = {
    ("large", "different"): Technique.FULL,
    ("large", "similar"): Technique.FINE_TUNE,
    ("small", "different"): Technique.FINE_TUNE,
    ("small", "similar"): Technique.FROZEN,
}
"""The post's table."""


@dataclass(frozen=True, slots=True)
class RuleOfThumb:
    """The post's prediction for a data set.

    Attributes:
        size: By `LARGE_PER_CLASS`.
        similarity: To the pictures that the weights come from; None where it was not measured.
        predicts: None where the similarity is unknown or uncertain.
        sentence: The prediction in words.
    """

    size: Size
    similarity: Label | None
    predicts: Technique | None
    sentence: str

    def agrees(self, winner: Technique | None, beaten: Collection[Technique] = ()) -> bool | None:
        """Whether the measured winner is the one predicted; None where that cannot be told.

        It can be told without a winner where the one predicted is ``beaten`` by another, and without the similarity where
        neither prediction for the size is the winner.
        """
        if winner is None:
            return False if self.predicts in beaten else None
        if self.predicts is None:
            return None if winner in (RULE[self.size, "similar"], RULE[self.size, "different"]) else False
        return winner is self.predicts


def size_of(data: DataSettings) -> Size:
    """Whether the training split is large."""
    return "large" if data.train >= LARGE_PER_CLASS * len(data.classes) else "small"


def rule_of_thumb(data: DataSettings, similarity: Label | None = None) -> RuleOfThumb:
    """The post's prediction."""
    size = size_of(data)
    images = f"{count(data.train, 'training image')} in {count(len(data.classes), 'class')} make a {size} data set"
    if similarity is not None and similarity != "uncertain":
        predicts = RULE[size, similarity]
        known = f"{'similar to' if similarity == 'similar' else 'different from'} what the weights were trained on"
        return RuleOfThumb(size, similarity, predicts, f"{images}, {known}: the blog post's rule expects {predicts} to win.")
    either = (
        f"{RULE[size, 'similar']} to win if they resemble what the weights were trained on, {RULE[size, 'different']} if not"
    )
    return RuleOfThumb(size, similarity, None, f"{images}: the blog post's rule expects {either}.")


def imbalance(data: DataSettings) -> float:
    """Training images of the largest class for each of the smallest."""
    return max(data.train_per_class) / max(1, min(data.train_per_class))


def imbalance_sentence(data: DataSettings) -> str:
    """What to do about classes of very different size; empty where they are not."""
    if imbalance(data) < IMBALANCED:
        return ""
    by_size = sorted(zip(data.train_per_class, data.classes, strict=True))
    (fewest, rare), (most, frequent) = by_size[0], by_size[-1]
    return (
        f"{literal(frequent)} has {count(most, 'training image')} and {literal(rare)} {fewest:,}: --class-weight balanced and "
        "--metric balanced_accuracy give rare classes the same weight as frequent ones."
    )


def rare_classes(data: DataSettings, metric: Metric) -> str:
    """Which classes a score says little of, and what to do; empty where there are none."""
    sentences = []
    if imbalance(data) >= RARE and metric == "accuracy":
        rarest, most = min(data.train_per_class), max(data.train_per_class)
        name = literal(data.classes[data.train_per_class.index(rarest)])
        sentences.append(
            f"{name} has {count(rarest, 'training image')}, the largest class {most:,}: accuracy hardly depends on it, "
            "--metric balanced_accuracy counts all classes alike"
        )
    tested = zip(data.classes, data.test_per_class, strict=True)
    few = [f"{literal(name)} ({images})" for name, images in tested if images < FEW_TESTED]
    if few:
        sentences.append(f"fewer than {FEW_TESTED} test images, too few to say anything of the class: {and_more(few, SHOWN)}")
    return "; ".join(sentences)
