"""What a study was made for: the values that must be the same for a resumed search to be the same search."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from ..spaces.ranges import Values
from ..spaces.recipe import Recipe, Technique
from .trial import Metric

CacheType = Literal["float16", "float32"]
"""How activations are kept on disk. float16 takes half of it and half the time to read."""


LayoutName = Literal["auto", "classes", "nested"]
"""How a data folder is read: as names tell; its folders as the classes, whatever they are called; or the folders in those."""


class LayoutOptions(TypedDict, total=False):
    """How the files of a data folder are understood; what is left out is told by the names of its files and folders.

    Attributes:
        follow_symlinks: Whether links that leave the folder are followed; by default they are not.
        group_by: What the images that are never parted have in common: the ``folder`` beside that of the class, or what a
            regular expression finds in their paths. ``none`` for nothing, not even that they look alike.
        layout: Whether its folders are the ``classes``, whatever their names say, or what the classes are ``nested`` in.
        label_from_name: Regular expression whose group ``label``, or else its first one, is the class in a file's name; None
            where folders or a file of labels tell the classes.
        skip_class: Classes to go on without.
        path_column, label_column, split_column: Of the file of labels, in any case; None for the usual names.
        group_column: Of what never parts, such as a patient or a scene; None for none.
    """

    follow_symlinks: bool
    group_by: str
    layout: LayoutName
    label_from_name: str | None
    skip_class: tuple[str, ...]
    path_column: str | None
    label_column: str | None
    split_column: str | None
    group_column: str | None


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
        path: As the user named it; ``demo:<variant>`` for the built-in set, ``arrays`` for images in memory.
        fingerprint: Hash of every image's content, class and split.
        classes: In the order of the labels.
        train, val, test: Images of each split.
        train_per_class, test_per_class: In the order of ``classes``.
        skipped: Files that were left out.
        labels: The CSV file that named the images and their classes; empty where class folders did.
        folds: That the images are divided into; 1 where there is one split. Of folds ``train`` and ``val`` are the first one's,
            and ``test`` are all images: each is tested by one fold.
        drawn: Whether the splits were drawn, not given.
        layout_options: How the files were said to be understood.
        lookalikes: Whether pictures that look alike were kept on one side of the splits; earlier versions did not.
        remarks: What should be known of how they were understood, in sentences.
        in_memory: Whether the images were arrays, so that ``path`` leads to none of them.
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
    folds: int = 1
    drawn: bool = False
    layout_options: LayoutOptions = dataclasses.field(default_factory=LayoutOptions)
    lookalikes: bool = False
    remarks: tuple[str, ...] = ()
    in_memory: bool = False

    @property
    def understood(self) -> LayoutOptions:
        """How its files are understood when it is opened again."""
        return self.layout_options if self.lookalikes else {"group_by": "none", **self.layout_options}

    @property
    def images(self) -> int:
        """Of all splits."""
        return self.test if self.folds > 1 else self.train + self.val + self.test


@dataclass(frozen=True, slots=True)
class TiedImages:
    """Which test images belong together: they show the same, or the user said so.

    Attributes:
        numbers: Of the group of each test image, in the order of the test split.
        seen: Places in the test split of images that belong to one of the training or validation split.
    """

    numbers: tuple[int, ...]
    seen: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmRecipe:
    """A recipe that did best in another study and is among the first that this one tries.

    Attributes:
        study: The other study, as `WarmStart.studies` names it.
        data: What it searched on.
        technique: What the recipe trains.
        trial: Its number there.
        metric: What that study chose by.
        score: By that metric, on that study's validation split.
        values: The recipe in this study's space.
        changes: What this space does not have as it was there, in words such as ``dropout 0.5 → 0.4``.
    """

    study: str
    data: str
    technique: Technique
    trial: int
    metric: Metric
    score: float
    values: Values
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WarmStart:
    """What a study was started from.

    Attributes:
        studies: The other studies, by their absolute paths, in the order in which they were named.
        recipes: Of theirs, as many of each technique; in the order in which a technique tries them.
    """

    studies: tuple[str, ...]
    recipes: tuple[WarmRecipe, ...]


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
        warm_start: Recipes of other studies that it tries first; None where it started from none.
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
    warm_start: WarmStart | None = None


def differences(stored: StudySettings, wanted: StudySettings) -> list[str]:
    """What keeps a study from being resumed under other settings, in plain words; empty where nothing does.

    Where no warm start is wanted, the one that the study had goes on.
    """
    found = [
        f"{name} was {getattr(stored, field)}, now {getattr(wanted, field)}"
        for field, name in (
            ("engine", "the engine"),
            ("algorithm", "the algorithm"),
            ("seed", "the seed"),
            ("metric", "the metric"),
            ("alpha", "alpha"),
            ("size", "the image size"),
        )
        if getattr(stored, field) != getattr(wanted, field)
    ]
    if stored.weights_fingerprint != wanted.weights_fingerprint:
        found.append(f"the weights were {stored.weights}, now {wanted.weights} with other values")
    if stored.data.classes != wanted.data.classes:
        found.append(f"the classes were {', '.join(stored.data.classes)}, now {', '.join(wanted.data.classes)}")
    elif stored.data.folds != wanted.data.folds:
        found.append(f"the folds were {stored.data.folds}, now {wanted.data.folds}")
    elif stored.data.fingerprint != wanted.data.fingerprint:
        was, now = (f"{d.train} + {d.val} + {d.test} images" for d in (stored.data, wanted.data))
        found.append(f"the images or their split have changed ({was}, now {now})")
        if wanted.data.lookalikes and not stored.data.lookalikes:
            found.append("look-alikes were parted, now they are kept together (group_by none parts them)")
    if wanted.warm_start is not None and stored.warm_start != wanted.warm_start:
        was = ", ".join(stored.warm_start.studies) if stored.warm_start else "no other study"
        now = ", ".join(wanted.warm_start.studies)
        found.append(f"it was started from {was}{', now from ' + now if now != was else ', whose best recipes were others'}")
    unsaid = {field.name: field.default for field in dataclasses.fields(Recipe)}
    for name in sorted(set(stored.space) | set(wanted.space)):
        # What an earlier version did not know of was as a recipe that says nothing of it.
        before, after = stored.space.get(name, unsaid.get(name)), wanted.space.get(name)
        if before != after:
            found.append(f"the space's {name} was {before}, now {after}")
    return found
