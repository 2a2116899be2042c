"""Finds pictures that show the same: encoded again, resized, cropped a little, mirrored, or shot a moment later.

First each picture becomes a few numbers: the low frequencies of its brightness, each by how far it lies from the data set's
mean in standard deviations. Where all pictures are alike, as X-rays are, what they share counts for nothing then. Pictures
whose numbers point the same way are candidates. Each pair of them is laid over each other: shifted, stretched and turned a
little until the brightness fits best, by least squares (Lucas & Kanade 1981), coarse to fine. Two pictures show the same where
their fine detail then agrees: the correlation of what remains after a blur is taken away. That of two photographs of different
things is below 0.5; how much more is asked for depends on what pairs drawn at random reach in the same data set, since
handwritten digits or cells have little detail to differ in. `docs/leaks.md` says what it finds and misses.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..machine.paths import read_json, write_json
from ..machine.shards import Shards
from .images import open_images

Floats = NDArray[np.float32]

VERSION = 1
"""Raised whenever other pairs come out of this module."""

SIDE = 64
"""Pixels of the grey pictures that are compared."""

FREQUENCIES = 8
"""Of the low ones, a side: what a crop of a tenth leaves recognisable."""

NEIGHBOURS, CANDIDATE = 4, 0.35
"""Candidates of each picture at most, and how alike their numbers must be: the cosine."""

MOST_IMAGES, MOST_CANDIDATES = 50_000, 100_000
"""Beyond so many pictures nothing is looked for; of more candidates only the most alike are compared, for some minutes."""

ROUGH = 0.9
"""Correlation of candidates laid over each other at a quarter of the side, below which they are given up."""

LEAST, MOST = 0.8, 0.97
"""Correlation of fine detail that makes a pair, at least, and where chance alone comes near to it."""

ACROSS = 0.003
"""Of the pictures: as many may have a look-alike in another class."""

_RANDOM_PAIRS = 1000

_BLOCK = 1024
"""Pictures that are compared with all others at once: 200 MB for `MOST_IMAGES`."""

_PAIRS = 128
"""Laid over each other at once: what a processor's cache holds."""

_STEPS = 6

_FURTHEST = np.array([[0.35, 0.25, 0.3], [0.25, 0.35, 0.3]], np.float32)
"""Of a laid-over picture from its place: stretched, sheared, shifted, as parts of half a side."""


def lookalikes_of(folder: Path, labels: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of rows that show the same, the smaller first, in order.

    Few pictures have a look-alike in another class. Where many seem to, as signs or digits of few pixels do, they only look the
    same: then so much is asked for that no more than `ACROSS` of the pictures have one.

    Args:
        folder: Of the decoded images, where what `find_lookalikes` finds is kept for the next time.
        labels: The class of each image.

    Raises:
        DataError: The decoded images are gone.
    """
    kept = folder / f"lookalikes-{VERSION}.json"
    try:
        found = read_json(kept, list[tuple[int, int, float]])
    except (OSError, ValueError):
        found = find_lookalikes(open_images(folder))
        with contextlib.suppress(OSError):
            # It can be found again.
            write_json(kept, found)
    across = sorted((agreement for one, other, agreement in found if labels[one] != labels[other]), reverse=True)
    allowed = math.ceil(ACROSS * len(labels))
    least = across[allowed] if len(across) > allowed else 0.0
    return [(one, other) for one, other, agreement in found if agreement > least]


def find_lookalikes(images: Shards) -> list[tuple[int, int, float]]:
    """Pairs of rows that may show the same, the smaller first, in order, and how their fine detail correlates.

    There are none among fewer than 2 or more than `MOST_IMAGES`.

    Args:
        images: ``(n, size, size, 3)`` uint8.
    """
    if not 2 <= len(images) <= MOST_IMAGES:
        return []
    grey = np.concatenate([_grey(images[start : start + 256]) for start in range(0, len(images), 256)])
    plain, mirrored = _numbers(grey), _numbers(grey[:, :, ::-1])
    mean, spread = plain.mean(axis=0), plain.std(axis=0) + 1e-3
    plain, mirrored = (_unit((one - mean) / spread) for one in (plain, mirrored))
    needed = _needed(grey)
    found: dict[tuple[int, int], float] = {}
    for other, turned in ((plain, False), (mirrored, True)):
        pairs = _candidates(plain, other)
        for start in range(0, len(pairs), _PAIRS):
            first, second = pairs[start : start + _PAIRS].T
            there = grey[second][:, :, ::-1] if turned else grey[second]
            agreement = _agreement(grey[first], there, give_up=ROUGH)
            for one, other, much in zip(first.tolist(), second.tolist(), agreement.tolist(), strict=True):
                if much >= needed:
                    found[one, other] = max(round(much, 4), found.get((one, other), 0))
    return [(one, other, found[one, other]) for one, other in sorted(found)]


def _needed(grey: NDArray[np.uint8]) -> float:
    """The correlation of fine detail that makes a pair.

    So much above what random pairs reach that, of 20 real data sets, handwritten digits and cells are left apart, whose nearest
    pairs reach 0.95 and 0.8. What one random pair in a hundred exceeds tells of chance unless so many show the same themselves;
    then what one in ten does.
    """
    first, second = np.random.default_rng(0).integers(0, len(grey), (2, _RANDOM_PAIRS))
    first, second = first[first != second], second[first != second]
    chance = np.concatenate(
        [_agreement(grey[first[at : at + _PAIRS]], grey[second[at : at + _PAIRS]]) for at in range(0, len(first), _PAIRS)]
    )
    tenth, hundredth = np.quantile(chance, [0.9, 0.99])
    return float(np.clip(max(2 * tenth + 0.2, hundredth + 0.3 if hundredth < LEAST else 0), LEAST, MOST))


def _grey(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brightness of pictures, ``(n, SIDE, SIDE)``."""
    bright = images.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    shrink = _shrinking(images.shape[1])
    return np.rint(shrink @ bright @ shrink.T).astype(np.uint8)


def _shrinking(size: int) -> Floats:
    """The matrix ``(SIDE, size)`` that averages ``size`` values to `SIDE`, each by how much of it lies in the new one."""
    edges = np.linspace(0, size, SIDE + 1)
    low, high = np.maximum.outer(edges[:-1], np.arange(size)), np.minimum.outer(edges[1:], np.arange(size) + 1)
    return np.asarray(np.maximum(high - low, 0) * SIDE / size, np.float32)


def _numbers(grey: NDArray[np.uint8]) -> Floats:
    """The lowest frequencies of pictures, ``(n, FREQUENCIES² − 1)``, the mean left out: a cosine transform."""
    wave = np.cos(np.pi / SIDE * np.outer(np.arange(FREQUENCIES), np.arange(SIDE) + 0.5)).astype(np.float32)
    return (wave @ grey.astype(np.float32) @ wave.T).reshape(len(grey), -1)[:, 1:]


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-6), np.float32)


def _candidates(rows: Floats, others: Floats) -> NDArray[np.int64]:
    """Pairs of rows that are most alike, ``(pairs, 2)``, the smaller first."""
    found: list[NDArray[np.int64]] = []
    likeness: list[Floats] = []
    for start in range(0, len(rows), _BLOCK):
        alike = rows[start : start + _BLOCK] @ others.T
        own = np.arange(start, start + len(alike))
        alike[own - start, own] = -1
        near = np.argpartition(-alike, min(NEIGHBOURS, len(rows) - 1) - 1, axis=1)[:, :NEIGHBOURS]
        cosine = np.take_along_axis(alike, near, axis=1)
        likely = cosine > CANDIDATE
        found.append(np.stack([np.broadcast_to(own[:, None], near.shape)[likely], near[likely]], axis=1))
        likeness.append(cosine[likely])
    best = np.argsort(-np.concatenate(likeness), kind="stable")[:MOST_CANDIDATES]
    return np.unique(np.sort(np.concatenate(found)[best], axis=1), axis=0)


def _agreement(first: NDArray[np.uint8], second: NDArray[np.uint8], give_up: float = -1.0) -> Floats:
    """Correlation of the fine detail of pairs, ``(pairs,)``, laid over each other; -1 of those given up.

    Args:
        first: ``(pairs, SIDE, SIDE)``.
        second: Of the same shape.
        give_up: Correlation at a quarter of the side below which a pair is.
    """
    agreement = np.full(len(first), -1, np.float32)
    here, there = first.astype(np.float32), second.astype(np.float32)
    place = np.tile(np.eye(2, 3, dtype=np.float32), (len(here), 1, 1))
    place, rough = _lay_over(_coarse(here, 4), _coarse(there, 4), place)
    kept = np.flatnonzero(rough >= give_up)
    if len(kept):
        here, there = here[kept], there[kept]
        place, _ = _lay_over(_coarse(here, 2), _coarse(there, 2), place[kept])
        agreement[kept] = _correlation(_fine(here), *_moved(_fine(there), place))
    return agreement


def _blurring(side: int, width: float) -> Floats:
    """The matrix ``(side, side)`` that blurs by a Gaussian of standard deviation ``width`` pixels."""
    apart = np.subtract.outer(np.arange(side), np.arange(side))
    weights = np.exp(-((apart / width) ** 2) / 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _coarse(grey: Floats, times: int) -> Floats:
    side = SIDE // times
    blur = _blurring(side, 1.0)
    return np.asarray(blur @ grey.reshape(-1, side, times, side, times).mean(axis=(2, 4)) @ blur.T)


def _fine(grey: Floats) -> Floats:
    blur = _blurring(SIDE, 2.0)
    return np.asarray(grey - blur @ grey @ blur.T)


def _points(side: int) -> Floats:
    """Homogeneous coordinates of a picture's pixels, ``(3, side²)``, from -1 to 1."""
    along = ((np.arange(side) + 0.5) / side * 2 - 1).astype(np.float32)
    down, across = np.meshgrid(along, along, indexing="ij")
    return np.stack([across.ravel(), down.ravel(), np.ones(side * side, np.float32)])


def _moved(pictures: Floats, place: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Pictures as seen from another place, ``(n, side²)``, and which of their pixels are there.

    Args:
        pictures: ``(n, side, side)``.
        place: Affine maps of the coordinates, ``(n, 2, 3)``.
    """
    side = pictures.shape[1]
    across, down = np.moveaxis((place @ _points(side) + 1) * (side / 2) - 0.5, 1, 0)
    inside = (across >= 0) & (across <= side - 1) & (down >= 0) & (down <= side - 1)
    across, down = across.clip(0, side - 1.001), down.clip(0, side - 1.001)
    left, top = across.astype(np.int32), down.astype(np.int32)
    right, low = across - left, down - top
    corner = top * side + left + np.arange(len(pictures), dtype=np.int32)[:, None] * side**2
    flat = pictures.ravel()
    above = flat[corner] * (1 - right) + flat[corner + 1] * right
    below = flat[corner + side] * (1 - right) + flat[corner + side + 1] * right
    return above * (1 - low) + below * low, inside


def _correlation(pictures: Floats, others: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Of pictures with others, ``(n,)``, over the pixels that both have."""
    weight = inside / (inside.sum(axis=1, keepdims=True) + 1e-6)
    one, two = (flat - (flat * weight).sum(axis=1, keepdims=True) for flat in (pictures.reshape(len(pictures), -1), others))
    both, own, their = ((a * b * weight).sum(axis=1) for a, b in ((one, two), (one, one), (two, two)))
    return np.asarray(both / np.sqrt(own * their + 1e-6), np.float32)


def _lay_over(pictures: Floats, others: Floats, place: Floats) -> tuple[Floats, Floats]:
    """Lays others over pictures by Gauss-Newton steps, brightness and contrast left free.

    Args:
        pictures: ``(n, side, side)``.
        others: Of the same shape.
        place: Where to begin, as in `_moved`.

    Returns:
        Where they fit best, and their correlation there, ``(n,)``.
    """
    side = pictures.shape[1]
    points = _points(side)
    wanted = pictures.reshape(len(pictures), -1, 1)
    for _ in range(_STEPS):
        moved, inside = _moved(others, place)
        down, across = np.gradient(moved.reshape(others.shape), 2 / side, axis=(1, 2))
        slopes = [slope.reshape(moved.shape) * along for slope in (across, down) for along in points]
        columns = np.stack([*slopes, moved, np.ones_like(moved)], axis=1) * inside[:, None]
        normal = columns @ columns.transpose(0, 2, 1)
        normal += np.eye(8, dtype=np.float32) * (1e-5 * np.trace(normal, axis1=1, axis2=2) + 1e-3)[:, None, None]
        solved = np.linalg.solve(normal, columns @ wanted)[:, :, 0]
        contrast = np.where(np.abs(solved[:, 6]) < 0.2, 0.2, solved[:, 6])
        step = (solved[:, :6] / contrast[:, None]).clip(-0.1, 0.1).reshape(-1, 2, 3)
        place = place + place[:, :, :2] @ step
        straight = np.eye(2, 3, dtype=np.float32)
        place = straight + (place - straight).clip(-_FURTHEST, _FURTHEST)
    return place, _correlation(pictures, *_moved(others, place))
