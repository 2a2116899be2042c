"""Lays pictures over each other as well as they fit, and tells whether they show the same.

One is shifted, stretched and turned a little until the brightness fits best, by least squares (Lucas & Kanade 1981), coarse to
fine; how far the fine detail then agrees is its correlation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SIDE = 64
"""Pixels of the grey pictures that are compared."""

_STEPS = 6

_FURTHEST = np.array([[0.35, 0.25, 0.3], [0.25, 0.35, 0.3]], np.float32)
"""Of a laid-over picture from its place: stretched, sheared, shifted, as parts of half a side."""


def agreement_of(first: NDArray[np.uint8], second: NDArray[np.uint8], give_up: float) -> Floats:
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
