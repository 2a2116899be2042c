"""Cuts a data set into training, validation and test images: stratified, seeded, and never one picture on two sides.

Images of one group, such as those with the same pixels or of the same patient, always go to the same side. Which side depends
on the seed and on the groups' keys alone, which come from the pictures' contents, not from names or the order in which they
are read.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...spaces.errors import DataError, OptionError
from .folder import Candidate, Layout
from .splits import Split

FLAT_SHARES = (0.15, 0.15)
"""Shares of validation and test where nothing is held out."""

VAL_SHARE = 0.2
"""Share of the training folder that becomes validation where only a test split is given."""

FOLDS = 5
"""Of a data set that is divided into as many as are usual."""

FEWEST_FOLDS, MOST_FOLDS = 3, 20

ENOUGH_TO_TEST = 500
"""Test images with which a data set is not divided into folds unless it is asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Rows of one fold, rising: its own are ``test``, all others are trained or validated on."""

    train: NDArray[np.int64]
    val: NDArray[np.int64]
    test: NDArray[np.int64]


class TooFewImagesError(Exception):
    """A class has too few groups to split.

    Attributes:
        label: Number of the class.
        found: Groups that it has.
        needed: The least that it needs.
    """

    def __init__(self, label: int, found: int, needed: int) -> None:
        super().__init__(f"class {label} has {found} different pictures, at least {needed} are needed")
        self.label, self.found, self.needed = label, found, needed


def split_folder(
    layout: Layout, files: Sequence[Candidate], keys: Sequence[str], usable: Sequence[int], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows of training, validation and test: those that the folder gives, cut where it leaves some to be made.

    Args:
        layout: Of the folder.
        files: Of each row.
        keys: Of each row's group.
        usable: Rows that may be in a split.
        seed: Of the draw.

    Raises:
        DataError: A class has too few different pictures.
    """

    def given(source: Split) -> NDArray[np.int64]:
        return np.array([row for row in usable if files[row].split == source], np.int64)

    def cut(source: Split, *shares: float) -> list[NDArray[np.int64]]:
        rows = given(source)
        classes, labels = np.unique([files[row].label for row in rows], return_inverse=True)
        with _naming(classes, layout, source, "Add some, or go on without it: --skip-class."):
            return [rows[part] for part in split([keys[row] for row in rows], labels, shares, seed)]

    if "all" in layout.splits:
        val, test, train = cut("all", *FLAT_SHARES)
        return train, val, test
    if "val" in layout.splits:
        return given("train"), given("val"), given("test")
    val, train = cut("train", VAL_SHARE)
    return train, val, given("test")


def folds_of(
    layout: Layout,
    files: Sequence[Candidate],
    keys: Sequence[str],
    usable: Sequence[int],
    seed: int,
    wanted: int | Literal["auto"],
) -> tuple[Fold, ...]:
    """The folds of a folder that has no splits of its own; none where ``auto`` finds no need or no room for them.

    Args:
        layout: Of the folder.
        files: Of each row.
        keys: Of each row's group.
        usable: Rows that may be in a split.
        seed: Of the draw.
        wanted: How many; 1 for none, ``auto`` for `FOLDS` where the test split would have fewer than `ENOUGH_TO_TEST` images.

    Raises:
        OptionError: The folder has splits of its own, or ``wanted`` is out of bounds.
        DataError: A class has fewer different pictures than there are folds.
    """
    count = count_folds(layout, len(usable), wanted)
    if count == 1:
        return ()
    rows = np.array(usable, np.int64)
    classes, labels = np.unique([files[row].label for row in rows], return_inverse=True)
    own = [keys[row] for row in rows]
    share = FLAT_SHARES[0] / (1 - 1 / count)
    found = []
    try:
        with _naming(classes, layout, "all", f"Add some, or give a smaller number than --folds {count}."):
            for part in deal(own, labels, count, seed):
                others = np.setdiff1d(np.arange(len(rows)), part)
                val, train = split([own[place] for place in others], labels[others], [share], seed)
                found.append(Fold(rows[others[train]], rows[others[val]], rows[part]))
    except DataError:
        if wanted == "auto":
            return ()
        raise
    return tuple(found)


def check_folds(wanted: int | str) -> int | Literal["auto"]:
    """The number of folds that is asked for, as a number or as its digits: 1 for none, or ``auto``.

    Raises:
        OptionError: It is out of bounds, or neither.
    """
    allowed: dict[int | str, int] = {number: number for number in (1, *range(FEWEST_FOLDS, MOST_FOLDS + 1))}
    allowed |= {str(number): number for number in allowed.values()}
    if wanted == "auto":
        return "auto"
    if wanted not in allowed:
        raise OptionError(f"--folds must be auto, 1 for none, or a number from {FEWEST_FOLDS} to {MOST_FOLDS}, got {wanted}.")
    return allowed[wanted]


def count_folds(layout: Layout, images: int, wanted: int | Literal["auto"]) -> int:
    """Into how many folds so many images are divided, 1 for none; arguments and errors as of `folds_of`."""
    flat = "all" in layout.splits
    wanted = check_folds(wanted)
    if wanted == "auto":
        return FOLDS if flat and FLAT_SHARES[1] * images < ENOUGH_TO_TEST else 1
    if wanted != 1 and not flat:
        raise OptionError(
            f"--folds divides images that have no splits, got {layout.root} with splits of its own "
            f"({', '.join(sorted(layout.splits))}). Leave it out, or name a folder of classes alone."
        )
    return wanted


class TooFewOfClassError(DataError):
    """A class has too few different images to be split; ``label`` is its name."""

    def __init__(self, message: str, label: str) -> None:
        super().__init__(message)
        self.label = label


@contextmanager
def _naming(classes: Iterable[str], layout: Layout, source: Split, remedy: str) -> Iterator[None]:
    """Says which class has too few pictures."""
    try:
        yield
    except TooFewImagesError as error:
        label = str([*classes][error.label])
        least = f"a class must have at least {error.needed} different images to be split"
        got = f"got {error.found} of class {label!r} in {layout.place(source, label)}"
        raise TooFewOfClassError(f"{least}, {got}. {remedy}", label) from error


def deal(keys: Sequence[str], labels: NDArray[np.int64], parts: int, seed: int) -> list[NDArray[np.int64]]:
    """Rows of as many parts of nearly equal size, each rising: every class and every part's total is spread evenly.

    Args:
        keys: Of each image's group, ``n`` of them; a group goes to one part.
        labels: ``(n,)``.
        parts: How many.
        seed: Of the draw.

    Raises:
        TooFewImagesError: A class has fewer groups than there are parts.
    """
    groups = _Groups(keys, labels, seed)
    part_of: dict[str, int] = {}
    images = [Counter[int]() for _ in range(parts)]
    totals = [0] * parts
    for label, own in groups.by_class.items():
        groups.check(label, len(own), parts)
        for key in own:
            if key not in part_of:
                part = min(range(parts), key=lambda part: (images[part][label], totals[part]))
                part_of[key] = part
                images[part].update(groups.counts[key])
                totals[part] += groups.size(key)
        groups.check(label, len({part_of[key] for key in own}), parts)
    return [groups.rows_of(key for key in part_of if part_of[key] == part) for part in range(parts)]


def split(keys: Sequence[str], labels: NDArray[np.int64], shares: Sequence[float], seed: int) -> list[NDArray[np.int64]]:
    """Rows of each held-out part, in the order of ``shares``, and last the rows of what remains; each rising.

    A held-out part gets ``round(share * images)`` images of each class, at least one. Where whole groups do not add up to
    that, it gets fewer, and more only if a class consists of larger groups.

    Args:
        keys: Of each image's group, ``n`` of them; a group goes to one part.
        labels: ``(n,)``.
        shares: Fraction of each class that each held-out part gets.
        seed: Of the draw.

    Raises:
        TooFewImagesError: A class cannot give every part one group.
    """
    groups = _Groups(keys, labels, seed)
    images = Counter(labels.tolist())
    left = dict.fromkeys(groups.counts)
    has = Counter({label: len(own) for label, own in groups.by_class.items()})
    parts = []
    for part, share in enumerate(shares):
        later = len(shares) - part
        wanted = {label: max(1, round(share * own)) for label, own in images.items()}
        for label in groups.by_class:
            groups.check(label, has[label], later + 1)
        taken: dict[str, None] = {}
        held = Counter[int]()
        for key in left:
            own = groups.counts[key]
            # Every later part, the remainder among them, keeps at least one group of each class.
            if all(held[label] + count <= wanted[label] and has[label] > later for label, count in own.items()):
                taken[key] = None
                held.update(own)
                has.subtract(own.keys())
        for label, those in groups.by_class.items():
            if not held[label]:
                smallest = min((key for key in those if key in left and key not in taken), key=groups.size)
                taken[smallest] = None
                held.update(groups.counts[smallest])
                has.subtract(groups.counts[smallest].keys())
        for key in taken:
            del left[key]
        parts.append(groups.rows_of(taken))
    for label in groups.by_class:
        groups.check(label, has[label], 1)
    return [*parts, groups.rows_of(left)]


class _Groups:
    """Groups of images, in an order that depends on the seed and their keys alone; arguments as of `split`.

    Attributes:
        counts: Images of each class in each group.
        by_class: Groups that hold each class.
    """

    def __init__(self, keys: Sequence[str], labels: NDArray[np.int64], seed: int) -> None:
        order = sorted(set(keys), key=lambda key: hashlib.blake2b(f"{seed} {key}".encode()).digest())
        self.counts: dict[str, dict[int, int]] = {key: {} for key in order}
        self.by_class: dict[int, list[str]] = {int(label): [] for label in np.unique(labels)}
        self._rows: dict[str, list[int]] = {key: [] for key in order}
        for row, (key, label) in enumerate(zip(keys, labels.tolist(), strict=True)):
            own = self.counts[key]
            own[label] = own.get(label, 0) + 1
            self._rows[key].append(row)
        for key in order:
            for label in self.counts[key]:
                self.by_class[label].append(key)

    def size(self, key: str) -> int:
        """Images of a group."""
        return len(self._rows[key])

    def rows_of(self, keys: Iterable[str]) -> NDArray[np.int64]:
        """Rows of groups, rising."""
        return np.array(sorted(row for key in keys for row in self._rows[key]), np.int64)

    def check(self, label: int, found: int, needed: int) -> None:
        """Checks that a class has enough groups.

        Raises:
            TooFewImagesError: It has not.
        """
        if found < needed:
            raise TooFewImagesError(label, found, needed)
