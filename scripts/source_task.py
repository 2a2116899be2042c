"""The outlines of the task that the ``starter`` weights were trained on."""

from __future__ import annotations

import math

import numpy as np

from tlsearch.search.data.drawing import Points, corners, polar


def _polygon(sides: int) -> Points:
    angle = np.arange(sides) * 2 * math.pi / sides
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _star(points: int, inner: float) -> Points:
    radii: Points = np.tile([1.0, inner], points)[:, None]
    return _polygon(2 * points) * radii


SHAPES: dict[str, Points] = {
    "triangle": _polygon(3),
    "square": _polygon(4),
    "pentagon": _polygon(5),
    "disc": polar(np.ones_like),
    "star": _star(5, 0.42),
    "burst": _star(9, 0.62),
    "clover": polar(lambda a: 0.62 + 0.38 * np.cos(4 * a)),
    "petals": polar(lambda a: 0.62 + 0.38 * np.cos(3 * a)),
    "cross": corners(
        (-0.3, -1), (0.3, -1), (0.3, -0.3), (1, -0.3), (1, 0.3), (0.3, 0.3),
        (0.3, 1), (-0.3, 1), (-0.3, 0.3), (-1, 0.3), (-1, -0.3), (-0.3, -0.3),
    ),
    "tee": corners((-1, -1), (1, -1), (1, -0.45), (0.28, -0.45), (0.28, 1), (-0.28, 1), (-0.28, -0.45), (-1, -0.45)),
    "ell": corners((-0.8, -1), (-0.2, -1), (-0.2, 0.4), (0.9, 0.4), (0.9, 1), (-0.8, 1)),
    "drop": polar(lambda a: 0.35 + 0.65 * np.abs(np.cos(a / 2)) ** 5),
    "lens": polar(lambda a: 1 / np.sqrt(np.cos(a) ** 2 + 9 * np.sin(a) ** 2)),
    "dome": np.concatenate([polar(np.ones_like)[:49], corners((-1.0, 0.0), (1.0, 0.0))]),
}  # fmt: skip
"""Outlines by name. Each comes in every one of `FILLS`."""
