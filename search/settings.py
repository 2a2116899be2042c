"""What a study was made for: the values that must be the same for a resumed search to be the same search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from .trial import Metric

CacheType = Literal["float16", "float32"]
"""How activations are kept on disk. float16 takes half of it and half the time to read."""


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file of the data folder that is not searched on.

    Attributes:
        path: Relative to the data folder, with ``/`` between its parts.
        reason: In a few plain words.
    """

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    """The data set that a study was made for.

    Attributes:
        path: As the user named it; ``demo:<variant>`` for the built-in set.
        fingerprint: Hash of every image's content, class and split.
        classes: In the order of the labels.
        train, val, test: Images of each split.
        train_per_class, test_per_class: In the order of ``classes``.
        skipped: Files that were left out.
        labels: The CSV file that named the images and their classes; empty where class folders did.
    """

    path: str
    fingerprint: str
    classes: tuple[str, ...]
    train: int
    val: int
    test: int
    train_per_class: tuple[int, ...]
    test_per_class: tuple[int, ...]
    skipped: tuple[SkippedFile, ...] = ()
    labels: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySettings:
    """Everything that is fixed when a study is made.

    Attributes:
        space: The search space as `SearchSpace.as_dict` gives it.
        alpha: Width multiplier of MobileNetV2.
        size: Side of the square images that are trained on, pixels.
        weights: ``imagenet``, ``starter``, ``random`` or the path of a file.
        weights_fingerprint: Hash of the weights' values.
        metric: What selection and verdict go by.
    """

    name: str
    created: str
    engine: str
    algorithm: str
    seed: int
    metric: Metric
    space: dict[str, Any]
    data: DataSettings
    alpha: float
    size: int
    weights: str
    weights_fingerprint: str
    version: str
