"""Cuts a data set into training, validation and test images: stratified, seeded, and never one picture on two sides.

Images with the same bytes count as one picture: they always go to the same side. Which side depends on the seed and on the
pictures' contents alone, not on their names or the order in which they are read.
"""

from __future__ import annotations

import hashlib
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
    """A class has too few different pictures to split.

    Attributes:
        label: Number of the class.
        found: Different pictures that it has.
        needed: The least that it needs.
    """

    def __init__(self, label: int, found: int, needed: int) -> None:
        super().__init__(f"class {label} has {found} different pictures, at least {needed} are needed")
        self.label, self.found, self.needed = label, found, needed


def split_folder(
    layout: Layout, files: Sequence[Candidate], digests: Sequence[str], usable: Sequence[int], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows of training, validation and test: those that the folder gives, cut where it leaves some to be made.

    Args:
        layout: Of the folder.
        files: Of each row.
        digests: Of each row's bytes.
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
        with _naming(classes, layout, source, "Add some, or take the class away."):
            return [rows[part] for part in split([digests[row] for row in rows], labels, shares, seed)]

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
    digests: Sequence[str],
    usable: Sequence[int],
    seed: int,
    wanted: int | Literal["auto"],
) -> tuple[Fold, ...]:
    """The folds of a folder that has no splits of its own; none where ``auto`` finds no need or no room for them.

    Args:
        layout: Of the folder.
        files: Of each row.
        digests: Of each row's bytes.
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
    own = [digests[row] for row in rows]
    try:
        with _naming(classes, layout, "all", f"Add some, or give a smaller number than --folds {count}."):
            parts = deal(own, labels, count, seed)
    except DataError:
        if wanted == "auto":
            return ()
        raise
    share = FLAT_SHARES[0] / (1 - 1 / count)
    found = []
    for part in parts:
        others = np.setdiff1d(np.arange(len(rows)), part)
        val, train = split([own[place] for place in others], labels[others], [share], seed)
        found.append(Fold(rows[others[train]], rows[others[val]], rows[part]))
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


@contextmanager
def _naming(classes: Iterable[str], layout: Layout, source: Split, remedy: str) -> Iterator[None]:
    """Says which class has too few pictures."""
    try:
        yield
    except TooFewImagesError as error:
        label = str([*classes][error.label])
        raise DataError(
            f"a class must have at least {error.needed} different images to be split, got {error.found} of class "
            f"{label!r} in {layout.place(source, label)}. {remedy}"
        ) from error


def deal(digests: Sequence[str], labels: NDArray[np.int64], parts: int, seed: int) -> list[NDArray[np.int64]]:
    """Rows of as many parts of nearly equal size, each rising: every class and every part's total is spread evenly.

    Args:
        digests: Of each image's bytes, ``n`` of them; identical images go to the same part.
        labels: ``(n,)``; identical images have the same one.
        parts: How many.
        seed: Of the draw.

    Raises:
        TooFewImagesError: A class has fewer pictures than there are parts.
    """
    dealt: list[list[int]] = [[] for _ in range(parts)]
    for label in np.unique(labels):
        groups = _groups(digests, np.flatnonzero(labels == label))
        if len(groups) < parts:
            raise TooFewImagesError(int(label), len(groups), parts)
        own = [0] * parts
        for digest in _shuffled(groups, seed):
            place = min(range(parts), key=lambda part: (own[part], len(dealt[part])))
            own[place] += len(groups[digest])
            dealt[place] += groups[digest]
    return [np.array(sorted(part), np.int64) for part in dealt]


def split(digests: Sequence[str], labels: NDArray[np.int64], shares: Sequence[float], seed: int) -> list[NDArray[np.int64]]:
    """Rows of each held-out part, in the order of ``shares``, and last the rows of what remains; each rising.

    A held-out part gets ``round(share * images)`` images of each class, at least one. Where whole groups of identical
    images do not add up to that, it gets fewer, and more only if a class consists of larger groups.

    Args:
        digests: Of each image's bytes, ``n`` of them.
        labels: ``(n,)``; identical images have the same one.
        shares: Fraction of each class that each held-out part gets.
        seed: Of the draw.

    Raises:
        TooFewImagesError: A class cannot give every part one picture.
    """
    parts: list[list[int]] = [[] for _ in range(len(shares) + 1)]
    for label in np.unique(labels):
        groups = _groups(digests, np.flatnonzero(labels == label))
        if len(groups) < len(parts):
            raise TooFewImagesError(int(label), len(groups), len(parts))
        images = sum(map(len, groups.values()))
        order = _shuffled(groups, seed)
        for part, share in enumerate(shares):
            # Every later part, the remainder among them, keeps at least one picture.
            most = len(order) - (len(shares) - part)
            taken = _draw([len(groups[digest]) for digest in order], max(1, round(share * images)), most)
            parts[part] += [row for place in taken for row in groups[order[place]]]
            order = [digest for place, digest in enumerate(order) if place not in taken]
        parts[-1] += [row for digest in order for row in groups[digest]]
    return [np.array(sorted(part), np.int64) for part in parts]


def _shuffled(digests: Iterable[str], seed: int) -> list[str]:
    """In an order that depends on the seed and the digests alone."""
    return sorted(digests, key=lambda digest: hashlib.blake2b(f"{seed} {digest}".encode()).digest())


def _draw(sizes: Sequence[int], wanted: int, most: int) -> set[int]:
    """Places of the first groups that fit into ``wanted`` images, ``most`` groups at most; the smallest if none fits."""
    taken: set[int] = set()
    for place, size in enumerate(sizes):
        if size <= wanted and len(taken) < most:
            taken.add(place)
            wanted -= size
    return taken or {min(range(len(sizes)), key=sizes.__getitem__)}


def _groups(digests: Sequence[str], rows: NDArray[np.int64]) -> dict[str, list[int]]:
    """Rows by the bytes of their pictures."""
    groups: dict[str, list[int]] = {}
    for row in rows:
        groups.setdefault(digests[row], []).append(int(row))
    return groups
