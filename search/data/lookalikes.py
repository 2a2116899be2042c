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
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..events import Listener, PhaseAdvanced, PhaseEnded, PhaseStarted, ignore
from ..machine.devices import cores
from ..machine.paths import read_json, write_json
from ..machine.shards import Shards
from .alignment import SIDE, Floats, agreement_of
from .images import open_images

VERSION = 1
"""Raised whenever other pairs come out of this module."""

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

ACROSS, LEAST_ACROSS = 0.003, 0.9
"""Of the pictures: as many may have a look-alike in another class; and what such a pair must reach, since it is less likely
beforehand. Nine in ten copies of a photograph that were made in one of the ways above do."""

_RANDOM_PAIRS = 1000

_AT_ONCE = 32
"""Pictures made grey at once."""

_BLOCK = 1024
"""Pictures that are compared with all others at once: 200 MB for `MOST_IMAGES`."""

_PAIRS = 128
"""Laid over each other at once: what a processor's cache holds."""


def lookalikes_of(folder: Path, labels: Sequence[str], listener: Listener = ignore) -> list[tuple[int, int]]:
    """Pairs of rows that show the same, the smaller first, in order.

    Few pictures have a look-alike in another class: more is asked for there. Where many seem to, as signs or digits of few
    pixels do, they only look the same: then so much is asked for that no more than `ACROSS` of the pictures have one.

    Args:
        folder: Of the decoded images, where what `find_lookalikes` finds is kept for the next time.
        labels: The class of each image.
        listener: Receives progress events; none where they have been found before.

    Raises:
        DataError: The decoded images are gone.
    """
    kept = folder / f"lookalikes-{VERSION}.json"
    try:
        found = read_json(kept, list[tuple[int, int, float]])
    except (OSError, ValueError):
        found = find_lookalikes(open_images(folder), listener)
        with contextlib.suppress(OSError):
            # It can be found again.
            write_json(kept, found)
    across = sorted((agreement for one, other, agreement in found if labels[one] != labels[other]), reverse=True)
    allowed = math.ceil(ACROSS * len(labels))
    least = across[allowed] if len(across) > allowed else 0.0
    return [
        (one, other)
        for one, other, agreement in found
        if agreement > least and (labels[one] == labels[other] or agreement >= LEAST_ACROSS)
    ]


def find_lookalikes(images: Shards, listener: Listener = ignore) -> list[tuple[int, int, float]]:
    """Pairs of rows that may show the same, the smaller first, in order, and how their fine detail correlates.

    There are none among fewer than 2 or more than `MOST_IMAGES`.

    Args:
        images: ``(n, size, size, 3)`` uint8.
        listener: Receives progress events.
    """
    if not 2 <= len(images) <= MOST_IMAGES:
        return []
    began = time.monotonic()
    listener(PhaseStarted("compare", len(images)))
    with ThreadPoolExecutor(cores()) as threads:
        parts = [slice(start, start + _AT_ONCE) for start in range(0, len(images), _AT_ONCE)]
        grey = np.concatenate([*threads.map(lambda part: _grey(images[part]), parts)])
        found = _compare(grey, threads, lambda share: listener(PhaseAdvanced("compare", int(share * len(images)))))
    listener(PhaseEnded("compare", time.monotonic() - began))
    return [(one, other, found[one, other]) for one, other in sorted(found)]


def _compare(
    grey: NDArray[np.uint8], threads: ThreadPoolExecutor, advance: Callable[[float], None]
) -> dict[tuple[int, int], float]:
    """The pairs of grey pictures that may show the same, and how their fine detail correlates.

    Args:
        grey: ``(n, SIDE, SIDE)``.
        threads: That compare.
        advance: Is told what share of the work is done.
    """
    plain, mirrored = _numbers(grey), _numbers(grey[:, :, ::-1])
    mean, spread = plain.mean(axis=0), plain.std(axis=0) + 1e-3
    plain, mirrored = (_unit((one - mean) / spread) for one in (plain, mirrored))
    random = np.random.default_rng(0).integers(0, len(grey), (2, _RANDOM_PAIRS)).T
    chance = [(pairs, False, -1.0) for pairs in _chunks(random[random[:, 0] != random[:, 1]])]
    likely = [(pairs, False, ROUGH) for pairs in _chunks(_candidates(plain, plain))]
    likely += [(pairs, True, ROUGH) for pairs in _chunks(_candidates(plain, mirrored))]

    def agreement(chunk: tuple[NDArray[np.int64], bool, float]) -> Floats:
        (first, second), turned = chunk[0].T, chunk[1]
        return agreement_of(grey[first], grey[second][:, :, ::-1] if turned else grey[second], chunk[2])

    done, total = itertools.count(1), len(likely) + len(chance)

    def laid_over(chunks: list[tuple[NDArray[np.int64], bool, float]]) -> Iterator[Floats]:
        for one in threads.map(agreement, chunks):
            advance(next(done) / total)
            yield one

    agreements = [*laid_over(likely)]
    if max((own.max() for own in agreements), default=-1) < LEAST:
        advance(1)  # they are no pairs, whatever chance reaches
        return {}
    needed = _needed(np.concatenate([*laid_over(chance)]))
    found: dict[tuple[int, int], float] = {}
    for (pairs, _, _), own in zip(likely, agreements, strict=True):
        for (one, other), much in zip(pairs.tolist(), own.tolist(), strict=True):
            if much >= needed:
                found[one, other] = max(round(much, 4), found.get((one, other), 0))
    return found


def _chunks(pairs: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [pairs[start : start + _PAIRS] for start in range(0, len(pairs), _PAIRS)]


def _needed(chance: Floats) -> float:
    """The correlation of fine detail that makes a pair, where that of random pairs is ``chance``.

    So much above what random pairs reach that, of 20 real data sets, handwritten digits and cells are left apart, whose nearest
    pairs reach 0.95 and 0.8. What one random pair in a hundred exceeds tells of chance unless so many show the same themselves;
    then what one in ten does.
    """
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
